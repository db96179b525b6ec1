import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bearer, createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'
import { type SubscriptionFilters, selectSubscriptionPage } from './list-queries.ts'

const password = 'correct horse battery'

let fullStack: FullStack
let admin: string
let user: string
let userId: string
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  await fullStack.signUp('admin@example.com', password)
  await fullStack.sql`
    update user_accounts set role_id = (select id from roles where name = 'admin') where email = 'admin@example.com'`
  admin = (await fullStack.login('admin@example.com', password)).access_token
  user = (await fullStack.signUp('ada@example.com', password)).tokens.access_token
  userId = decodeJwt(user).sub ?? ''
})
afterAll(() => fullStack.close())

async function send(method: string, path: string, body?: unknown, token = admin) {
  const answer = await fullStack.call(path, {
    method,
    headers: { ...bearer(token), ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return { status: answer.status, body: await answer.json() }
}

const book = (body: unknown, id = userId) => send('PUT', `/admin/users/${id}/subscription`, body)

describe('PUT /admin/users/{id}/subscription', () => {
  test('200: the plan counts from now on; audited before and after; tokens of its time are stale', async () => {
    await fullStack.sql`truncate audit_logs, revocations`
    const { status, body } = await book({ plan: 'pro', period_ends_at: '2999-01-01T00:00:00Z' })
    expect(status).toBe(200)
    expect(body).toEqual({
      user_id: userId,
      plan: 'pro',
      status: 'active',
      period_starts_at: expect.any(String),
      period_ends_at: '2999-01-01T00:00:00.000Z',
      cancel_at_period_end: false,
    })
    const { user_id: _, ...after } = body
    expect([
      ...(await fullStack.sql`select action, actor_id, user_id, details from audit_logs where action like 'sub%'`),
    ]).toEqual([
      {
        action: 'subscription.changed',
        actor_id: decodeJwt(admin).sub,
        user_id: userId,
        details: { before: expect.objectContaining({ plan: 'free', period_ends_at: null }), after },
      },
    ])
    expect([...(await fullStack.sql`select scope, subject, epoch from revocations`)]).toEqual([
      { scope: 'user', subject: userId, epoch: 1 },
    ])
    expect(decodeJwt((await fullStack.login('ada@example.com', password)).access_token)).toMatchObject({
      plan: 'pro',
    })
  })

  test('200: without an end, and back to Free', async () => {
    expect((await book({ plan: 'business' })).body).toMatchObject({ plan: 'business', period_ends_at: null })
    expect((await book({ plan: 'free' })).body).toMatchObject({ plan: 'free', period_ends_at: null })
  })

  test('200: ten at once leave one current subscription and the others as history', async () => {
    const [{ before }] = await fullStack.sql<[{ before: number }]>`
      select count(*)::int as before from user_subscriptions where user_id = ${userId}`
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => book({ plan: n % 2 ? 'pro' : 'starter' })),
    )
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    const [counted] = await fullStack.sql`
      select count(*)::int as held, (count(*) filter (where ended_at is null))::int as current
      from user_subscriptions where user_id = ${userId}`
    expect(counted).toEqual({ held: before + 10, current: 1 })
  })

  test('404 not_found: no such account', async () => {
    expect((await book({ plan: 'pro' }, crypto.randomUUID())).status).toBe(404)
  })

  test('422 validation_failed: no such plan, an end in the past, fields that one may not set', async () => {
    for (const [body, pointer] of [
      [{ plan: 'gold' }, '/plan'],
      [{ plan: 'pro', period_ends_at: '2020-01-01T00:00:00Z' }, '/period_ends_at'],
      [{ plan: 'pro', period_ends_at: 'soon' }, '/period_ends_at'],
      [{ plan: 'pro', status: 'active' }, '/status'],
      [{}, '/plan'],
    ] as const) {
      const answer = await book(body)
      expect(answer).toMatchObject({ status: 422, body: { errors: [{ pointer }] } })
    }
  })

  test('403 permission_required: an admin cannot book a plan for themselves', async () => {
    const answer = await send('PUT', `/admin/users/${userId}/subscription`, { plan: 'pro' }, user)
    expect(answer).toMatchObject({ status: 403, body: { code: 'permission_required' } })
  })
})

describe('GET /admin/subscriptions', () => {
  beforeAll(async () => {
    await fullStack.sql`
      with added as (
        insert into user_accounts (email, password_hash, role_id)
        select 'crowd-' || n || '@example.com', 'x', (select id from roles where name = 'user')
        from generate_series(1, 100000) as n returning id
      ),
      numbered as (select id, row_number() over () as n from added)
      insert into user_subscriptions (user_id, plan_id, status)
      select numbered.id, plan.id, case when n % 50 = 0 then 'past_due' else 'active' end
      from numbered join subscription_plans plan
        on plan.name = case when n = 1 then 'enterprise' when n % 10 = 0 then 'pro' else 'free' end`
    await fullStack.sql`analyze user_subscriptions, user_accounts`
  }, 60_000)

  const list = (query: string) => send('GET', `/admin/subscriptions?${query}`)

  test('200: the newest first, page by page, each once', async () => {
    const first = await list('limit=3')
    const second = await list(`limit=3&cursor=${first.body.next_cursor}`)
    const ids = [...first.body.items, ...second.body.items].map(({ id }) => Number(id))
    expect(ids).toEqual([...ids].sort((a, b) => b - a))
    expect(new Set(ids).size).toBe(6)
    expect(first.body.items[0]).toEqual({
      id: expect.any(String),
      user_id: expect.any(String),
      email: expect.stringMatching(/^crowd-/),
      plan: expect.any(String),
      status: expect.any(String),
      period_starts_at: expect.any(String),
      period_ends_at: null,
      cancel_at_period_end: false,
      ended_at: null,
      created_at: expect.any(String),
    })
  })

  test('200: by account, with what was before', async () => {
    const { items } = (await list(`user_id=${userId}`)).body
    expect(items.length).toBeGreaterThan(10)
    expect(items.at(-1)).toMatchObject({ plan: 'free', ended_at: expect.any(String) })
    expect(items.filter(({ ended_at }: { ended_at: null }) => ended_at === null)).toHaveLength(1)
    expect(items[0].ended_at).toBeNull()
  })

  test('200: by plan, by status, by both', async () => {
    for (const [query, expected] of [
      ['plan=pro', { plan: 'pro' }],
      ['plan=enterprise', { plan: 'enterprise' }],
      ['status=past_due', { status: 'past_due' }],
      ['plan=pro&status=past_due', { plan: 'pro', status: 'past_due' }],
    ] as const) {
      const { body } = await list(query)
      expect(body.items.length).toBeGreaterThan(0)
      for (const item of body.items) expect(item).toMatchObject(expected)
    }
    expect((await list('status=canceled')).body.items).toEqual([])
    expect((await list('plan=gold')).body.items).toEqual([])
  })

  test.each<SubscriptionFilters>([
    {},
    { plan: 'pro' },
    { plan: 'enterprise' },
    { status: 'past_due' },
    { status: 'canceled' },
    { plan: 'pro', status: 'past_due' },
    { plan: 'free', status: 'past_due' },
    { plan: 'enterprise', status: 'active' },
    { user_id: crypto.randomUUID() },
  ])('reads few rows of 100,000: %o', async (filters) => {
    await fullStack.sql.begin(async (transaction) => {
      const rowsRead = async () => {
        const [row] = await transaction<[{ rows: number }]>`
          select (seq_tup_read + idx_tup_fetch)::int as rows from pg_stat_xact_user_tables
          where relname = 'user_subscriptions'`
        return row.rows
      }
      const page = { before: '90000', limit: 50 }
      // More calls than the database needs to settle for one plan for all values.
      for (let i = 0; i < 8; i++) await selectSubscriptionPage(transaction, filters, page)
      const before = await rowsRead()
      await selectSubscriptionPage(transaction, filters, page)
      expect((await rowsRead()) - before).toBeLessThan(60)
    })
  })

  test('400 query_invalid: other filters, other values, invalid cursors', async () => {
    const far = Buffer.from(JSON.stringify(['9'.repeat(30)])).toString('base64url')
    for (const query of ['status=trialing', 'user_id=7', 'plan=%00', 'email=x', `cursor=${far}`, 'limit=0'])
      expect((await list(query)).status).toBe(400)
  })
})
