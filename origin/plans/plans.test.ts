import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { identitySchema } from '../../shared/auth/claims.ts'
import { assertionHeader } from '../../shared/http/headers.ts'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { assertionFrom } from '../../test/support/full-stack/origin-call.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'

let fullStack: FullStack
let admin: string
let user: string
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  await fullStack.signUp('admin@example.com', password)
  await fullStack.sql`
    update user_accounts set role_id = (select id from roles where name = 'admin') where email = 'admin@example.com'`
  admin = (await fullStack.login('admin@example.com', password)).access_token
  user = (await fullStack.signUp('ada@example.com', password)).tokens.access_token
})
afterAll(() => fullStack.close())

beforeEach(async () => {
  await fullStack.sql`truncate audit_logs, revocations`
})

async function send(method: string, path: string, body?: unknown, token = admin) {
  const answer = await fullStack.call(path, {
    method,
    headers: { ...bearer(token), ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return { answer, status: answer.status, body: await answer.json() }
}

async function marks() {
  const told = await fullStack.sql`select scope, subject, epoch from revocations`
  const audit = await fullStack.sql`select action, actor_id, user_id, details from audit_logs order by id`
  return { told: [...told], audit: [...audit] }
}

const starter = {
  name: 'starter',
  title: 'Starter',
  price_cents_per_month: 900,
  currency: 'EUR',
  api_quota_per_hour: 5000,
  features: [
    'api_access',
    'basic_dashboard',
    'data_export',
    'email_notifications',
    'email_support',
    'profile_customization',
  ],
}

describe('GET /v1/plans', () => {
  test('200: all plans from the cheapest up, for anybody, cacheable for a minute', async () => {
    const answer = await fullStack.call('/v1/plans')
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('public, max-age=60')
    const { plans } = (await answer.json()) as { plans: (typeof starter)[] }
    expect(plans.map(({ name }) => name)).toEqual(['free', 'starter', 'pro', 'business', 'enterprise'])
    expect(plans[1]).toEqual(starter)
  })
})

describe('GET /internal/gateway/plans', () => {
  test('401 untrusted_caller: anybody but a gateway itself', async () => {
    for (const headers of [{}, { [assertionHeader]: await assertionFrom(fullStack) }, bearer(admin)]) {
      const answer = await fullStack.originFetch('/internal/gateway/plans', { headers })
      expect(await problem(answer)).toMatchObject({ status: 401, code: 'untrusted_caller' })
    }
  })

  test('the plans in a rejection of the gateway come from the database', async () => {
    const answer = await fullStack.call('/v1/reports', { headers: bearer(user) })
    expect(await problem(answer)).toMatchObject({
      code: 'feature_required',
      required_feature: 'premium_dashboard',
      current_plan: 'free',
      minimum_plan: 'pro',
      upgrade_url: 'http://127.0.0.1:3000/upgrade?plan=pro',
    })
  })
})

describe('GET /admin/plans, GET /admin/features', () => {
  test('200: page by page, in order, each once', async () => {
    for (const [path, key, count] of [
      ['/admin/plans', 'rank', 5],
      ['/admin/features', 'name', 14],
    ] as const) {
      const seen: Record<string, unknown>[] = []
      let next: string | null = `${path}?limit=2`
      while (next) {
        const { status, body } = await send('GET', next)
        expect(status).toBe(200)
        seen.push(...body.items)
        next = body.next_cursor && `${path}?limit=2&cursor=${body.next_cursor}`
      }
      expect(seen).toHaveLength(count)
      expect(new Set(seen.map((item) => item[key])).size).toBe(count)
    }
    expect((await send('GET', '/admin/plans?limit=2')).body.items[1]).toEqual({ ...starter, rank: 1 })
  })

  test('400 query_invalid: invalid cursors, and positions out of range', async () => {
    for (const position of [[99999], ['x'], [-1], 7])
      expect(
        (
          await send(
            'GET',
            `/admin/plans?cursor=${Buffer.from(JSON.stringify(position)).toString('base64url')}`,
          )
        ).body,
      ).toMatchObject({ code: 'query_invalid' })
    const nul = Buffer.from(JSON.stringify(['\0'])).toString('base64url')
    expect((await send('GET', `/admin/features?cursor=${nul}`)).body).toMatchObject({ code: 'query_invalid' })
  })
})

describe('PATCH /admin/plans/{name}', () => {
  test('200: changes what is sent and leaves the rest; audited before and after; a title makes no token stale', async () => {
    const { status, body } = await send('PATCH', '/admin/plans/starter', { title: 'Start' })
    expect(status).toBe(200)
    expect(body).toEqual({ ...starter, rank: 1, title: 'Start' })
    const { told, audit } = await marks()
    expect(told).toEqual([])
    expect(audit).toMatchObject([
      {
        action: 'plan.changed',
        actor_id: decodeJwt(admin).sub,
        user_id: null,
        details: { plan: 'starter', before: { title: 'Starter' }, after: { title: 'Start' } },
      },
    ])
    expect((await send('PATCH', '/admin/plans/starter', { title: 'Starter' })).status).toBe(200)
  })

  test('200: a quota raises the epoch, and the next token has it', async () => {
    const answer = await send('PATCH', '/admin/plans/free', { api_quota_per_hour: 1234 })
    expect(answer.body).toMatchObject({ api_quota_per_hour: 1234 })
    expect((await marks()).told).toEqual([{ scope: 'plan', subject: 'free', epoch: expect.any(Number) }])
    const claims = decodeJwt((await fullStack.login('ada@example.com', password)).access_token)
    expect(claims).toMatchObject({ quota: 1234 })
    await send('PATCH', '/admin/plans/free', { api_quota_per_hour: 1000 })
  })

  test('200: a change to the same values changes nothing', async () => {
    expect(
      (await send('PATCH', '/admin/plans/pro', { title: 'Pro', api_quota_per_hour: 20_000 })).status,
    ).toBe(200)
    expect(await marks()).toEqual({ told: [], audit: [] })
  })

  // An admin who set a quota of one request an hour had locked everybody on the plan out, and could
  // not set it back.
  test('422 validation_failed: fewer requests an hour than one a minute, with the least in words', async () => {
    const { status, body } = await send('PATCH', '/admin/plans/free', { api_quota_per_hour: 59 })
    expect(status).toBe(422)
    expect(body).toMatchObject({
      code: 'validation_failed',
      errors: [
        { pointer: '/api_quota_per_hour', detail: 'must be at least 60: a plan allows a request a minute' },
      ],
    })
    expect(await marks()).toEqual({ told: [], audit: [] })
    expect((await send('PATCH', '/admin/plans/free', { api_quota_per_hour: 60 })).status).toBe(200)
    await send('PATCH', '/admin/plans/free', { api_quota_per_hour: 1000 })
  })

  test('a quota below the minimum cannot be stored, by any statement', async () => {
    await expect(
      fullStack.sql`update subscription_plans set api_quota_per_hour = 59 where name = 'free'`,
    ).rejects.toThrow('subscription_plans_api_quota_per_hour_check')
  })

  test('404 not_found: no such plan', async () => {
    expect((await send('PATCH', '/admin/plans/gold', { title: 'Gold' })).body).toMatchObject({
      code: 'not_found',
    })
  })

  test('422 validation_failed: fields that one may not set, nothing at all, or what no plan can be', async () => {
    for (const body of [
      {},
      { name: 'x' },
      { rank: 9 },
      { epoch: 0 },
      { api_quota_per_hour: 0 },
      { price_cents_per_month: -1 },
      { price_cents_per_month: 1e12 },
      { title: '\0' },
    ])
      expect((await send('PATCH', '/admin/plans/pro', body)).body).toMatchObject({
        code: 'validation_failed',
      })
    expect(await marks()).toEqual({ told: [], audit: [] })
  })
})

describe('PUT /admin/plans/{name}/features', () => {
  test('200: one entry for the gateways, however many subscribers there are', async () => {
    await fullStack.sql`
      with added as (
        insert into user_accounts (email, password_hash, role_id)
        select 'crowd-' || n || '@example.com', 'x', (select id from roles where name = 'user')
        from generate_series(1, 1000) as n returning id
      )
      insert into user_subscriptions (user_id, plan_id)
      select id, (select id from subscription_plans where name = 'pro') from added`
    const [{ mark }] = await fullStack.sql<[{ mark: string }]>`select pg_current_xact_id()::text as mark`
    const written = async () => {
      const [row] = await fullStack.sql<[{ rows: number }]>`
        select count(*)::int as rows from (
          select xmin from user_accounts union all select xmin from user_subscriptions
          union all select xmin from sessions union all select xmin from tokens
          union all select xmin from revocations
        ) as touched
        where xmin::text::bigint > ${mark}`
      return row.rows
    }
    const [{ features }] = await fullStack.sql<[{ features: string[] }]>`
      select array_agg(feature.name order by feature.name) as features
      from plan_features join features feature on feature.id = feature_id
      join subscription_plans plan on plan.id = plan_id where plan.name = 'pro'`
    const { status, body } = await send('PUT', '/admin/plans/pro/features', {
      features: [...features.filter((name) => name !== 'webhooks'), 'single_sign_on', 'single_sign_on'],
    })
    expect(status).toBe(200)
    expect(body.features).toContain('single_sign_on')
    expect(body.features).not.toContain('webhooks')
    expect(body.features).toHaveLength(features.length)
    const { told, audit } = await marks()
    expect(told).toEqual([{ scope: 'plan', subject: 'pro', epoch: 1 }])
    expect(audit).toMatchObject([
      {
        action: 'plan.features_changed',
        details: { before: { features }, after: { features: body.features } },
      },
    ])
    expect(await written()).toBe(1)

    expect((await send('PUT', '/admin/plans/pro/features', { features })).body.features).toEqual(features)
    expect((await marks()).told).toHaveLength(2)
    await send('PUT', '/admin/plans/pro/features', { features })
    expect((await marks()).told).toHaveLength(2)
  })

  test('200: none at all', async () => {
    const { features } = starter
    expect((await send('PUT', '/admin/plans/starter/features', { features: [] })).body.features).toEqual([])
    expect((await send('PUT', '/admin/plans/starter/features', { features })).body.features).toEqual(features)
  })

  test('422 validation_failed: names each unknown feature, and changes nothing', async () => {
    const { status, body } = await send('PUT', '/admin/plans/pro/features', {
      features: ['webhooks', 'teleport', 'api_access', 'flight'],
    })
    expect(status).toBe(422)
    expect(body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([
      '/features/1',
      '/features/3',
    ])
    expect(await marks()).toEqual({ told: [], audit: [] })
  })

  test('404 not_found: no such plan', async () => {
    expect((await send('PUT', '/admin/plans/gold/features', { features: [] })).status).toBe(404)
  })
})

test('403 permission_required: no ordinary user, at the gateway', async () => {
  for (const [method, path, body] of [
    ['GET', '/admin/plans'],
    ['GET', '/admin/features'],
    ['PATCH', '/admin/plans/pro', { title: 'x' }],
    ['PUT', '/admin/plans/pro/features', { features: [] }],
  ] as const)
    expect((await send(method, path, body, user)).body).toMatchObject({ code: 'permission_required' })
})

// Where a row of the policy table forgot to ask, the origin does.
test('403 permission_required: no ordinary user whom the gateway let through', async () => {
  const identity = identitySchema.parse(decodeJwt(user))
  for (const [method, path] of [
    ['GET', '/admin/plans'],
    ['GET', '/admin/features'],
    ['PATCH', '/admin/plans/pro'],
    ['PUT', '/admin/plans/pro/features'],
    ['GET', '/admin/subscriptions'],
    ['PUT', `/admin/users/${identity.sub}/subscription`],
  ] as const) {
    const headers = { [assertionHeader]: await assertionFrom(fullStack, identity) }
    const answer = await fullStack.originFetch(path, { method, headers })
    expect(await problem(answer)).toMatchObject({
      status: 403,
      code: 'permission_required',
      required_permissions: { all: ['subscriptions.manage'] },
    })
  }
})
