import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'
const free = {
  plan: 'free',
  features: ['basic_dashboard', 'email_notifications', 'profile_customization'],
  quota: 1000,
}
const business = { plan: 'business', quota: 50_000 }

let fullStack: FullStack
let userId: string
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  await fullStack.signUp('ada@example.com', password)
  const [account] = await fullStack.sql<[{ id: string }]>`select id from user_accounts`
  userId = account.id
})
afterAll(() => fullStack.close())

interface Subscription {
  status?: string
  /** SQL intervals from now. */
  endsIn?: string
  endedAgo?: string
}

async function subscribe({ status = 'active', endsIn, endedAgo }: Subscription) {
  await fullStack.sql`
    insert into user_subscriptions (user_id, plan_id, status, period_started_at, period_ends_at, ended_at)
    select ${userId}, id, ${status}, now() - interval '1 year', now() + ${endsIn ?? null}::interval,
      now() - ${endedAgo ?? null}::interval
    from subscription_plans where name = 'business'`
}

async function claimsAfter(...subscriptions: Subscription[]) {
  await fullStack.sql`delete from user_subscriptions`
  for (const subscription of subscriptions) await subscribe(subscription)
  return decodeJwt((await fullStack.login('ada@example.com', password)).access_token)
}

// The monolith before us refused people whose subscription had lapsed. It narrows the features,
// never the login.
describe('POST /auth/login, by the state of the subscription', () => {
  test('200 with the plan: active without an end', async () => {
    const claims = await claimsAfter({})
    expect(claims).toMatchObject(business)
    expect(claims.features).toHaveLength(13)
  })

  test('200 with the plan: active until tomorrow, beside ended ones', async () => {
    expect(await claimsAfter({ endedAgo: '1 month' }, { endsIn: '1 day' })).toMatchObject(business)
  })

  test.each<[string, Subscription[]]>([
    ['lapsed a second ago', [{ endsIn: '-1 second' }]],
    ['canceled', [{ status: 'canceled', endsIn: '1 day' }]],
    ['past due', [{ status: 'past_due' }]],
    ['ended', [{ endedAgo: '1 second' }]],
    ['missing', []],
  ])('200 with what Free has: %s', async (_, subscriptions) => {
    expect(await claimsAfter(...subscriptions)).toMatchObject(free)
  })

  test('200 with what Free has: free itself', async () => {
    expect(decodeJwt((await fullStack.signUp('bob@example.com')).tokens.access_token)).toMatchObject(free)
  })
})
