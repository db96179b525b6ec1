import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'
const sessionSeconds = 100
const idleSeconds = 80

/** Both limits of a session below the 15 minutes of an access token. */
let fullStack: FullStack
beforeAll(async () => {
  const environment = { SESSION_SECONDS: `${sessionSeconds}`, REFRESH_TOKEN_SECONDS: `${idleSeconds}` }
  fullStack = await createFullStack({ environment: { ...highLimits, ...environment } })
})
afterAll(() => fullStack.close())

async function refresh(refreshToken: string): Promise<TokenResponse> {
  const answer = await fullStack.post('/auth/refresh', { refresh_token: refreshToken })
  expect(answer.status).toBe(200)
  return (await answer.json()) as TokenResponse
}

/** Seconds since 1970 at which the session of a token ends for good, by the database. */
async function endOf({ access_token }: TokenResponse): Promise<number> {
  const { sid } = decodeJwt<{ sid: string }>(access_token)
  const [row] = await fullStack.sql<[{ end: number }]>`
    select extract(epoch from expires_at)::float8 as end from sessions where id = ${sid}`
  return row.end
}

describe('an access token ends with its session at the latest', () => {
  test('of a login: at the idle limit, before the first refresh', async () => {
    const { tokens } = await fullStack.signUp('ada@example.com', password)
    expect(tokens.expires_in).toBeGreaterThan(idleSeconds - 10)
    expect(tokens.expires_in).toBeLessThanOrEqual(idleSeconds)
  })

  test('of a refresh, and of its replay inside the grace window: at the absolute limit', async () => {
    const { tokens } = await fullStack.signUp('bob@example.com', password)
    await fullStack.sql`update sessions set expires_at = now() + interval '30 seconds'`
    for (const next of [await refresh(tokens.refresh_token), await refresh(tokens.refresh_token)]) {
      const { exp = 0, iat = 0 } = decodeJwt(next.access_token)
      expect(exp).toBeLessThanOrEqual(await endOf(next))
      expect(next.expires_in).toBe(exp - iat)
      expect(next.expires_in).toBeGreaterThan(20)
      expect(decodeJwt(next.access_token)).not.toHaveProperty('sessionSecondsLeft')
    }
  })
})
