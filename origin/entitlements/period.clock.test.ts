import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: { ...highLimits, REFRESH_GRACE_SECONDS: '0' } })
})
afterAll(() => fullStack.close())

async function subscriber(email: string, endsIn: string) {
  const { tokens } = await fullStack.signUp(email)
  await fullStack.sql`
    update user_subscriptions set plan_id = (select id from subscription_plans where name = 'pro'),
      period_started_at = now() - interval '1 day', period_ends_at = now() + ${endsIn}::interval
    where user_id = ${decodeJwt(tokens.access_token).sub ?? ''}`
  return tokens
}

async function refresh(refreshToken: string) {
  const answer = await fullStack.post('/auth/refresh', { refresh_token: refreshToken })
  expect(answer.status).toBe(200)
  const tokens = (await answer.json()) as TokenResponse
  const claims = decodeJwt(tokens.access_token)
  return { tokens, claims, life: (claims.exp ?? 0) - (claims.iat ?? 0) }
}

// No job watches subscriptions: what a token says of a plan ends when what it was made from does.
describe('an access token', () => {
  test('lives no longer than the period: 2 s before its end at most 2 s, and then the refresh yields Free', async () => {
    const { refresh_token } = await subscriber('ada@example.com', '2 seconds')
    const before = await refresh(refresh_token)
    expect(before.claims).toMatchObject({ plan: 'pro', quota: 20_000 })
    expect(before.life).toBeGreaterThanOrEqual(1)
    expect(before.life).toBeLessThanOrEqual(2)
    expect(before.tokens.expires_in).toBe(before.life)
    expect(before.claims).not.toHaveProperty('secondsLeft')

    await new Promise((resolve) => setTimeout(resolve, 2100))
    const after = await refresh(before.tokens.refresh_token)
    expect(after.claims).toMatchObject({ plan: 'free', quota: 1000 })
    expect(after.life).toBe(900)
  })

  test('lives a second at least', async () => {
    const { refresh_token } = await subscriber('bob@example.com', '600 milliseconds')
    expect((await refresh(refresh_token)).life).toBe(1)
  })

  test('of a login lives no longer either', async () => {
    await subscriber('cyd@example.com', '100 seconds')
    const tokens = await fullStack.login('cyd@example.com', 'correct horse battery')
    expect(tokens.expires_in).toBeGreaterThan(90)
    expect(tokens.expires_in).toBeLessThanOrEqual(100)
  })

  test('lives as long as configured where the period ends later, or never', async () => {
    const { refresh_token } = await subscriber('dan@example.com', '1 day')
    expect((await refresh(refresh_token)).life).toBe(900)
    expect((await fullStack.signUp('eve@example.com')).tokens.expires_in).toBe(900)
  })
})
