import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bearer, createFullStack, type FullStack, problem } from '../test/support/full-stack/full-stack.ts'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack()
})
afterAll(() => fullStack.close())

/** Registers, gives role and plan in the database, and logs in. */
async function accountWith(email: string, role: string, plan: string | null) {
  const { password } = await fullStack.signUp(email)
  await fullStack.sql`
    update user_accounts set role_id = (select id from roles where name = ${role}) where email = ${email}`
  if (plan) {
    await fullStack.sql`
      update user_subscriptions set plan_id = (select id from subscription_plans where name = ${plan})
      where user_id = (select id from user_accounts where email = ${email})`
  }
  return fullStack.login(email, password)
}

describe('GET /v1/reports', () => {
  test('401 token_missing: without a token', async () => {
    const answer = await fullStack.call('/v1/reports')
    expect(answer.status).toBe(401)
    expect((await problem(answer)).code).toBe('token_missing')
  })

  test('403 feature_required: an ordinary account on the free plan', async () => {
    const tokens = await accountWith('free@example.com', 'user', null)
    const answer = await fullStack.call('/v1/reports', { headers: bearer(tokens.access_token) })
    expect(answer.status).toBe(403)
    expect(await problem(answer)).toMatchObject({
      code: 'feature_required',
      required_feature: 'premium_dashboard',
      current_plan: 'free',
    })
    expect(fullStack.logs.reports).toHaveLength(0)
  })

  test('403 permission_required: a guest, with any plan', async () => {
    const tokens = await accountWith('guest@example.com', 'guest', 'pro')
    const answer = await fullStack.call('/v1/reports', { headers: bearer(tokens.access_token) })
    expect(answer.status).toBe(403)
    expect(await problem(answer)).toMatchObject({
      code: 'permission_required',
      required_permissions: { all: ['dashboard.read'] },
    })
  })

  test('200: a subscriber on pro, whom the demo upstream names from the assertion alone', async () => {
    const tokens = await accountWith('pro@example.com', 'subscriber', 'pro')
    const answer = await fullStack.call('/v1/reports', { headers: bearer(tokens.access_token) })
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({ prepared_for: 'pro@example.com', plan: 'pro' })
    expect(fullStack.forwarded.at(-1)?.headers.has('authorization')).toBe(false)
  })

  test('401 untrusted_caller: the demo upstream itself accepts no user token and no header', async () => {
    const tokens = await accountWith('direct@example.com', 'subscriber', 'pro')
    const reports = fullStack.upstreams.get('http://127.0.0.1:8082')
    for (const assertion of [tokens.access_token, 'pro@example.com', ''])
      expect(
        (
          await reports?.(
            new Request('http://reports.test/v1/reports', { headers: { 'gatehouse-assertion': assertion } }),
          )
        )?.status,
      ).toBe(401)
  })
})
