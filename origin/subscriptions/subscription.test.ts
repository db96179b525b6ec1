import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SubscriptionResponse } from '../../shared/contract.ts'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

let fullStack: FullStack
let token: string
let userId: string
beforeAll(async () => {
  fullStack = await createFullStack({
    environment: { ...highLimits, UPGRADE_URL: 'https://app.example.com/upgrade?from=account' },
  })
  token = (await fullStack.signUp('ada@example.com')).tokens.access_token
  userId = decodeJwt(token).sub ?? ''
})
afterAll(() => fullStack.close())

async function subscription() {
  const answer = await fullStack.call('/v1/subscription', { headers: bearer(token) })
  expect(answer.status).toBe(200)
  return (await answer.json()) as SubscriptionResponse
}

async function book(plan: string, status: string, endsIn: string | null, cancels = false) {
  await fullStack.sql`
    update user_subscriptions set plan_id = (select id from subscription_plans where name = ${plan}),
      status = ${status}, period_started_at = now() - interval '1 year', period_ends_at = now() + ${endsIn}::interval,
      cancel_at_period_end = ${cancels}
    where user_id = ${userId}`
}

const free = ['basic_dashboard', 'email_notifications', 'profile_customization']

describe('GET /v1/subscription', () => {
  test('200: Free, without an end, and every dearer plan with what it would add', async () => {
    const { upgrades, ...current } = await subscription()
    expect(current).toEqual({
      plan: 'free',
      booked_plan: 'free',
      status: 'active',
      period_ends_at: null,
      cancels_at_period_end: false,
      features: free,
    })
    expect(upgrades.map(({ name }) => name)).toEqual(['starter', 'pro', 'business', 'enterprise'])
    expect(upgrades[0]).toEqual({
      name: 'starter',
      title: 'Starter',
      price_cents_per_month: 900,
      currency: 'EUR',
      api_quota_per_hour: 5000,
      features: [
        'api_access',
        'basic_dashboard',
        'data_export',
        ...free.slice(1, 2),
        'email_support',
        ...free.slice(2),
      ],
      adds_features: ['api_access', 'data_export', 'email_support'],
      upgrade_url: 'https://app.example.com/upgrade?from=account&plan=starter',
    })
  })

  test('200: a plan with its end, at once, independent of the token', async () => {
    await book('business', 'active', '1 day', true)
    const { upgrades, ...current } = await subscription()
    expect(current).toMatchObject({ plan: 'business', status: 'active', cancels_at_period_end: true })
    expect(Date.parse(current.period_ends_at ?? '')).toBeGreaterThan(Date.now())
    expect(current.features).toHaveLength(13)
    expect(upgrades).toMatchObject([{ name: 'enterprise', adds_features: ['single_sign_on'] }])
  })

  test.each([
    ['past_due', 'past_due', '1 day'],
    ['canceled', 'canceled', null],
    ['canceled', 'canceled', '-1 day'],
    ['lapsed', 'active', '-1 second'],
  ] as const)(
    '200: %s leaves what Free has and still names what was booked',
    async (told, status, endsIn) => {
      await book('pro', status, endsIn)
      const answer = await subscription()
      expect(answer).toMatchObject({ plan: 'free', booked_plan: 'pro', status: told, features: free })
      expect(answer.upgrades).toHaveLength(4)
    },
  )

  test('200: no subscription leaves what Free has', async () => {
    await fullStack.sql`update user_subscriptions set ended_at = now() where user_id = ${userId}`
    expect(await subscription()).toMatchObject({
      plan: 'free',
      booked_plan: null,
      status: 'none',
      features: free,
    })
  })

  test('401 token_missing: without a token', async () => {
    expect(await problem(await fullStack.call('/v1/subscription'))).toMatchObject({ code: 'token_missing' })
  })
})
