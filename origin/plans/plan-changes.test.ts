import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bearer, createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'

let fullStack: FullStack
let admin: string
beforeAll(async () => {
  fullStack = await createFullStack({ environment: { ...highLimits, ACCESS_TOKEN_SECONDS: '3600' } })
  for (const name of ['admin', 'ada']) await fullStack.signUp(`${name}@example.com`, password)
  await fullStack.sql`
    update user_accounts set role_id = (select id from roles where name = 'admin') where email = 'admin@example.com'`
  admin = (await fullStack.login('admin@example.com', password)).access_token
})
afterAll(() => fullStack.close())
beforeEach(async () => {
  await fullStack.sql`truncate audit_logs, revocations`
})

async function send(method: string, path: string, body?: unknown) {
  const answer = await fullStack.call(path, {
    method,
    headers: { ...bearer(admin), ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) }
}

const told = async () => [...(await fullStack.sql`select scope, subject from revocations order by id`)]
const audited = async () => [
  ...(await fullStack.sql`select action, actor_id, details from audit_logs order by id`),
]
const plansInOrder = async () =>
  (await send('GET', '/admin/plans')).body.items.map(
    ({ name, rank }: Record<string, unknown>) => `${rank} ${name}`,
  )

const team = {
  name: 'team',
  title: 'Team',
  price_cents_per_month: 4900,
  api_quota_per_hour: 30_000,
  features: ['webhooks', 'api_access'],
}

describe('a plan', () => {
  test('200, 204: is created at its rank or as the dearest, and removed; each leaves an audit row', async () => {
    const created = { ...team, currency: 'EUR', features: ['api_access', 'webhooks'] }
    expect(await send('POST', '/admin/plans', { ...team, rank: 3 })).toEqual({
      status: 200,
      body: { ...created, rank: 3 },
    })
    expect(await plansInOrder()).toEqual([
      '0 free',
      '1 starter',
      '2 pro',
      '3 team',
      '4 business',
      '5 enterprise',
    ])
    expect((await send('DELETE', '/admin/plans/team')).status).toBe(204)
    expect(await plansInOrder()).toEqual(['0 free', '1 starter', '2 pro', '3 business', '4 enterprise'])
    expect((await send('POST', '/admin/plans', team)).body).toMatchObject({ rank: 5 })
    expect((await send('DELETE', '/admin/plans/team')).status).toBe(204)
    expect(await told()).toEqual([
      { scope: 'plan', subject: 'team' },
      { scope: 'plan', subject: 'team' },
    ])
    expect((await audited()).slice(0, 2)).toEqual([
      {
        action: 'plan.created',
        actor_id: decodeJwt(admin).sub,
        details: {
          plan: 'team',
          after: {
            title: 'Team',
            price_cents_per_month: 4900,
            currency: 'EUR',
            api_quota_per_hour: 30_000,
            features: created.features,
          },
        },
      },
      expect.objectContaining({ action: 'plan.removed' }),
    ])
  })

  test('409 in_use: a plan of subscriptions, past ones counted; the first one, which accounts without any have', async () => {
    await fullStack.sql`
      insert into user_subscriptions (user_id, plan_id, ended_at)
      select account.id, plan.id, now() from user_accounts account, subscription_plans plan
      where account.email = 'ada@example.com' and plan.name = 'starter'`
    expect(await send('DELETE', '/admin/plans/starter')).toMatchObject({
      status: 409,
      body: { code: 'in_use', used_by: 'subscriptions', count: 1 },
    })
    expect(await send('DELETE', '/admin/plans/free')).toMatchObject({
      status: 409,
      body: { code: 'in_use', used_by: 'accounts_without_subscription' },
    })
    expect(await audited()).toEqual([])
  })

  test('409 name_taken; 404 not_found; 422 validation_failed: what no plan can be', async () => {
    expect(await send('POST', '/admin/plans', { ...team, name: 'pro' })).toMatchObject({
      status: 409,
      body: { code: 'name_taken' },
    })
    expect(await send('DELETE', '/admin/plans/gold')).toMatchObject({ status: 404 })
    for (const body of [
      { ...team, name: 'Team 1' },
      { ...team, rank: 0 },
      { ...team, api_quota_per_hour: 59 },
      { ...team, currency: 'euro' },
      { ...team, title: '\0' },
      { ...team, epoch: 1 },
    ])
      expect(await send('POST', '/admin/plans', body)).toMatchObject({ status: 422 })
    expect(
      (await send('POST', '/admin/plans', { ...team, features: ['api_access', 'flight'] })).body,
    ).toMatchObject({
      errors: [{ pointer: '/features/1', detail: 'is not the name of a feature' }],
    })
    expect(await audited()).toEqual([])
  })
})

describe('a feature', () => {
  test('200, 200, 204: is created, changed and removed; no token is stale by it', async () => {
    const chat = { name: 'live_chat', description: 'A chat' }
    expect(await send('POST', '/admin/features', chat)).toEqual({ status: 200, body: chat })
    expect(await send('PATCH', '/admin/features/live_chat', { description: 'Live chat' })).toEqual({
      status: 200,
      body: { ...chat, description: 'Live chat' },
    })
    expect((await send('DELETE', '/admin/features/live_chat')).status).toBe(204)
    expect(await told()).toEqual([])
    expect((await audited()).map(({ action, details }) => [action, details])).toEqual([
      ['feature.created', { feature: 'live_chat', after: { description: 'A chat' } }],
      [
        'feature.changed',
        { feature: 'live_chat', before: { description: 'A chat' }, after: { description: 'Live chat' } },
      ],
      ['feature.removed', { feature: 'live_chat', before: { description: 'Live chat' } }],
    ])
  })

  test('409 in_use: plans that have it, by their number; 409 name_taken; 404 not_found', async () => {
    expect(await send('DELETE', '/admin/features/single_sign_on')).toMatchObject({
      status: 409,
      body: { code: 'in_use', used_by: 'plans', count: 1 },
    })
    expect(await send('POST', '/admin/features', { name: 'webhooks', description: 'x' })).toMatchObject({
      status: 409,
      body: { code: 'name_taken' },
    })
    expect(await send('PATCH', '/admin/features/flight', { description: 'x' })).toMatchObject({ status: 404 })
    expect(await send('DELETE', '/admin/features/flight')).toMatchObject({ status: 404 })
  })
})

describe('a quota', () => {
  test('200: is listed from the cheapest plan up, and changes like the plan; its tokens are stale', async () => {
    expect((await send('GET', '/admin/quotas')).body.items[0]).toEqual({
      plan: 'free',
      title: 'Free',
      api_quota_per_hour: 1000,
    })
    expect(await send('PUT', '/admin/quotas/business', { api_quota_per_hour: 60_000 })).toEqual({
      status: 200,
      body: { plan: 'business', title: 'Business', api_quota_per_hour: 60_000 },
    })
    expect(await told()).toEqual([{ scope: 'plan', subject: 'business' }])
    expect((await audited()).map(({ action }) => action)).toEqual(['plan.changed'])
  })

  test('422 validation_failed: below a request a minute, or none; 404 not_found: of no plan', async () => {
    for (const body of [{ api_quota_per_hour: 59 }, {}])
      expect(await send('PUT', '/admin/quotas/business', body)).toMatchObject({ status: 422 })
    expect(await send('PUT', '/admin/quotas/gold', { api_quota_per_hour: 60 })).toMatchObject({ status: 404 })
  })
})
