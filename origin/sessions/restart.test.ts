import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'

let before: FullStack
let after: FullStack
beforeAll(async () => {
  before = await createFullStack({ environment: highLimits })
  await before.signUp('ada@example.com', password)
  after = await createFullStack({ environment: highLimits, remains: before.remains })
})
afterAll(async () => {
  await after.close()
  await before.close()
})

/** A session, refreshed once before the restart. */
async function rotatedOnce() {
  const { refresh_token: spent } = await before.login('ada@example.com', password)
  return { spent, live: await successorIn(before, spent) }
}

async function successorIn(fullStack: FullStack, refreshToken: string): Promise<string> {
  const answer = await fullStack.post('/auth/refresh', { refresh_token: refreshToken })
  expect(answer.status).toBe(200)
  return ((await answer.json()) as TokenResponse).refresh_token
}

async function codeIn(fullStack: FullStack, refreshToken: string) {
  const answer = await fullStack.post('/auth/refresh', { refresh_token: refreshToken })
  return answer.status === 200 ? 200 : (await problem(answer)).code
}

const passGrace = () =>
  before.sql`update tokens set spent_at = spent_at - interval '11 seconds' where spent_at is not null`

const liveSessions = async () => (await before.sql`select from sessions where ended_at is null`).length

describe('POST /auth/refresh after a restart of everything', () => {
  test('401 refresh_reused: a token spent before it ends the session', async () => {
    const { spent, live } = await rotatedOnce()
    const next = await successorIn(before, live)
    await passGrace()
    expect(await codeIn(after, spent)).toBe('refresh_reused')
    expect(await codeIn(after, next)).toBe('refresh_invalid')
  })

  test('200: a replay inside the grace window gets the successor that was given before it', async () => {
    const { spent, live } = await rotatedOnce()
    expect(await successorIn(after, spent)).toBe(live)
    await successorIn(after, live)
  })

  test('late replays are counted across it', async () => {
    const { spent, live } = await rotatedOnce()
    await passGrace()
    expect(await successorIn(before, spent)).toBe(live)
    await passGrace()
    expect(await successorIn(after, spent)).toBe(live)
    await passGrace()
    expect(await codeIn(after, spent)).toBe('refresh_reused')
  })

  test('401 refresh_invalid: a session that was logged out before the restart stays ended', async () => {
    const { live } = await rotatedOnce()
    await before.post('/auth/logout', { refresh_token: live })
    expect(await codeIn(after, live)).toBe('refresh_invalid')
  })
})

// The key is rotated, or one replica has another: sessions go on, only retries across the change
// cannot be answered.
describe('POST /auth/refresh with another REFRESH_TOKEN_KEY', () => {
  let rekeyed: FullStack
  beforeAll(async () => {
    const REFRESH_TOKEN_KEY = randomBytes(32).toString('base64')
    rekeyed = await createFullStack({
      environment: { ...highLimits, REFRESH_TOKEN_KEY },
      remains: before.remains,
    })
  })
  afterAll(() => rekeyed.close())

  test('200: a live token stays valid', async () => {
    const { live } = await rotatedOnce()
    await successorIn(rekeyed, live)
  })

  test('401 refresh_invalid: a replay inside the grace window is rejected, and ends nothing', async () => {
    const { spent, live } = await rotatedOnce()
    const sessions = await liveSessions()
    expect(await codeIn(rekeyed, spent)).toBe('refresh_invalid')
    expect(await liveSessions()).toBe(sessions)
    await successorIn(rekeyed, live)
  })

  test('401 refresh_reused: outside the window reuse is still reuse', async () => {
    const { spent } = await rotatedOnce()
    await passGrace()
    expect(await codeIn(rekeyed, spent)).toBe('refresh_reused')
  })
})
