import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { forceRace } from '../../test/support/full-stack/force-race.ts'
import { createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'

let fullStack: FullStack
let tokens: TokenResponse
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  await fullStack.signUp('ada@example.com', password)
})
afterAll(() => fullStack.close())

beforeEach(async () => {
  await fullStack.sql`truncate sessions cascade`
  tokens = await fullStack.login('ada@example.com', password)
  await fullStack.sql`truncate audit_logs, revocations`
})

const refresh = (refreshToken: string) => fullStack.post('/auth/refresh', { refresh_token: refreshToken })

async function successorOf(refreshToken: string): Promise<string> {
  const answer = await refresh(refreshToken)
  expect(answer.status).toBe(200)
  return ((await answer.json()) as TokenResponse).refresh_token
}

async function refusalOf(refreshToken: string) {
  const answer = await refresh(refreshToken)
  return { status: answer.status, code: (await problem(answer)).code }
}

const liveTokens = async () => (await fullStack.sql`select from tokens where spent_at is null`).length

describe('POST /auth/refresh inside the grace window', () => {
  // The answer to the first was lost on the way: the client knows the old token alone, and must not
  // lose its session for that.
  test('200: a replay gets the same successor, which works; no row is added and nothing is revoked', async () => {
    const second = await successorOf(tokens.refresh_token)
    const before = await fullStack.sql`select * from tokens order by id`
    expect(await successorOf(tokens.refresh_token)).toBe(second)
    expect(await fullStack.sql`select * from tokens order by id`).toEqual(before)
    expect(await fullStack.sql`select from revocations`).toHaveLength(0)
    const third = await successorOf(second)
    expect(third).not.toBe(second)
    expect(await liveTokens()).toBe(1)
  })

  test('200: a replay of the first of a chain gets the second, although that is spent by now', async () => {
    const second = await successorOf(tokens.refresh_token)
    const third = await successorOf(second)
    expect(await successorOf(tokens.refresh_token)).toBe(second)
    expect(await successorOf(second)).toBe(third)
    expect(await liveTokens()).toBe(1)
  })

  test('200: a replay gets an access token with the role as it is now', async () => {
    await successorOf(tokens.refresh_token)
    await fullStack.sql`update user_accounts set role_id = (select id from roles where name = 'subscriber')`
    const answer = (await (await refresh(tokens.refresh_token)).json()) as TokenResponse
    const [, payload = ''] = answer.access_token.split('.')
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString()).role).toBe('subscriber')
    await fullStack.sql`update user_accounts set role_id = (select id from roles where name = 'user')`
  })

  // Two tabs, or a hundred: all are past their look at the token before any of them has spent it
  // (I2).
  test('200: a hundred at once with one token get one and the same successor, of which one row is stored', async () => {
    const answers = await forceRace(fullStack, {
      at: 'select from sessions for update',
      requests: () => Array.from({ length: 100 }, () => refresh(tokens.refresh_token)),
      waiting: 10,
    })
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    const bodies = (await Promise.all(answers.map((answer) => answer.json()))) as TokenResponse[]
    expect(new Set(bodies.map(({ refresh_token }) => refresh_token)).size).toBe(1)
    expect(await fullStack.sql`select spent_at is not null as spent from tokens order by id`).toEqual([
      { spent: true },
      { spent: false },
    ])
    expect(await fullStack.sql`select from sessions where ended_at is not null`).toHaveLength(0)
  })

  test.each([
    ['whose session ended', `update sessions set ended_at = now(), end_reason = 'logout'`],
    [
      'whose session is past its absolute end',
      `update sessions set expires_at = now() - interval '1 second'`,
    ],
    ['of a disabled account', `update user_accounts set status = 'disabled'`],
  ])('401 refresh_invalid: a replay of a token %s', async (_, change) => {
    await successorOf(tokens.refresh_token)
    await fullStack.sql.unsafe(change)
    expect(await refusalOf(tokens.refresh_token)).toEqual({ status: 401, code: 'refresh_invalid' })
    await fullStack.sql`update user_accounts set status = 'active'`
  })

  test.each([
    [9, 200, null],
    [11, 401, 'refresh_reused'],
  ])('it is 10 seconds long: a replay after %i gives %i', async (seconds, status, reason) => {
    await successorOf(await successorOf(tokens.refresh_token))
    await fullStack.sql`
      update tokens set spent_at = now() - make_interval(secs => ${seconds}) where spent_at is not null`
    expect((await refresh(tokens.refresh_token)).status).toBe(status)
    expect(await fullStack.sql`select end_reason from sessions`).toEqual([{ end_reason: reason }])
  })
})

describe('POST /auth/refresh with REFRESH_GRACE_SECONDS=0', () => {
  let strict: FullStack
  beforeAll(async () => {
    strict = await createFullStack({ environment: { ...highLimits, REFRESH_GRACE_SECONDS: '0' } })
    await strict.signUp('ada@example.com', password)
  })
  afterAll(() => strict.close())

  test('401 refresh_reused: a replay at once ends the session', async () => {
    const { refresh_token } = await strict.login('ada@example.com', password)
    expect((await strict.post('/auth/refresh', { refresh_token })).status).toBe(200)
    const replay = await strict.post('/auth/refresh', { refresh_token })
    expect(replay.status).toBe(401)
    expect((await problem(replay)).code).toBe('refresh_reused')
  })

  // A race for two successors (I2): ten are past their look at the token before any of them has
  // spent it.
  test('of fifty at once with one token, one gets a successor', async () => {
    await strict.sql`truncate sessions, audit_logs cascade`
    const { refresh_token } = await strict.login('ada@example.com', password)
    const answers = await forceRace(strict, {
      at: 'select from sessions for update',
      requests: () => Array.from({ length: 50 }, () => strict.post('/auth/refresh', { refresh_token })),
      waiting: 10,
    })
    const statuses = answers.map(({ status }) => status).sort()
    expect(statuses).toEqual([200, ...Array(49).fill(401)])
    const [{ live }] = await strict.sql<[{ live: number }]>`
      select count(*)::int as live from tokens where spent_at is null`
    expect(live).toBeLessThanOrEqual(1)
    const refusals = await Promise.all(answers.filter(({ status }) => status === 401).map(problem))
    expect(refusals.map(({ code }) => code)).toContain('refresh_reused')
    expect((await strict.sql`select end_reason from sessions`)[0]?.end_reason).toBe('refresh_reused')
    expect(await strict.sql`select from audit_logs where action = 'session.refresh_reused'`).toHaveLength(1)
  })
})
