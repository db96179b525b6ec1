import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type {
  EntitlementsListResponse,
  EntitlementsResponse,
  InternalUserResponse,
  InternalUsersResponse,
} from '../../shared/contract.ts'
import { bearer, problem } from '../../test/support/full-stack/full-stack.ts'
import { createOAuthFullStack, type OAuthFullStack } from '../../test/support/full-stack/oauth-full-stack.ts'

let fullStack: OAuthFullStack
let headers: Record<string, string>
let ada: string
let bob: string
let asOf: string

/** Refreshes the views as upkeep does. */
async function refresh() {
  await fullStack.sql`refresh materialized view mv_users_with_subscription`
  await fullStack.sql`refresh materialized view mv_user_permissions`
  await fullStack.sql`refresh materialized view mv_user_features`
  const [row] = await fullStack.sql<[{ as_of: Date }]>`
    update view_refreshes set as_of = date_trunc('milliseconds', now() - interval '1 minute') returning as_of`
  asOf = row.as_of.toISOString()
}

const signUp = async (email: string) => {
  const { tokens } = await fullStack.signUp(email)
  return decodeJwt(tokens.access_token).sub ?? ''
}

beforeAll(async () => {
  fullStack = await createOAuthFullStack()
  headers = bearer(
    await fullStack.serviceToken(await fullStack.client('crm', 'users.read', 'entitlements.read')),
  )
  ada = await signUp('Ada@example.com')
  bob = await signUp('bob@example.com')
  await fullStack.sql`
    insert into user_subscriptions (user_id, plan_id) select ${ada}, id from subscription_plans where name = 'pro'
    on conflict (user_id) where ended_at is null do update set plan_id = excluded.plan_id`
})
afterAll(() => fullStack.close())
beforeEach(async () => {
  await fullStack.sql`update user_accounts set status = 'active'`
  await refresh()
})

const get = (path: string) => fullStack.originFetch(`/internal${path}`, { headers })

async function read<Answer>(path: string): Promise<Answer> {
  const answer = await get(path)
  expect(answer.status).toBe(200)
  return (await answer.json()) as Answer
}

const post = (body: unknown, query = '') =>
  fullStack.originFetch(`/internal/entitlements${query}`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

async function entitlementsOf(userIds: string[], query = '') {
  const answer = await post({ user_ids: userIds }, query)
  expect(answer.status).toBe(200)
  return (await answer.json()) as EntitlementsListResponse
}

const isNow = (at: string) => Math.abs(Date.now() - Date.parse(at)) < 5000

describe('GET /internal/users/{id}/entitlements', () => {
  test('200: as of the last refresh, and fresh the same as of now', async () => {
    const refreshed = await read<EntitlementsResponse>(`/users/${ada}/entitlements`)
    expect(refreshed).toMatchObject({
      user_id: ada,
      status: 'active',
      role: 'user',
      level: 10,
      plan: 'pro',
      api_quota_per_hour: 20_000,
      as_of: asOf,
    })
    expect(refreshed.permissions).toEqual(['dashboard.read', 'profile.read', 'profile.write'])
    expect(refreshed.features).toContain('premium_dashboard')
    const fresh = await read<EntitlementsResponse>(`/users/${ada}/entitlements?fresh=true`)
    expect(fresh).toEqual({ ...refreshed, as_of: expect.any(String) })
    expect(isNow(fresh.as_of)).toBe(true)
  })

  test('200: changes since the refresh show for fresh=true, and after the next refresh', async () => {
    await fullStack.sql`
      update user_subscriptions set plan_id = (select id from subscription_plans where name = 'enterprise')
      where user_id = ${ada}`
    const plan = async (query: string) =>
      (await read<EntitlementsResponse>(`/users/${ada}/entitlements${query}`)).plan
    expect(await plan('')).toBe('pro')
    expect(await plan('?fresh=true')).toBe('enterprise')
    await refresh()
    expect(await plan('')).toBe('enterprise')
    await fullStack.sql`
      update user_subscriptions set plan_id = (select id from subscription_plans where name = 'pro')
      where user_id = ${ada}`
  })

  test('200: a disabled account has its status and neither permissions nor features, refreshed and fresh', async () => {
    await fullStack.sql`update user_accounts set status = 'disabled' where id = ${ada}`
    const nothing = { status: 'disabled', permissions: [], features: [], plan: 'pro' }
    const path = `/users/${ada}/entitlements`
    expect(await read(`${path}?fresh=true`)).toMatchObject(nothing)
    expect(await read(path)).toMatchObject({ status: 'active' })
    await refresh()
    expect(await read(path)).toMatchObject(nothing)
  })

  test('200: an account registered since the refresh, as of now', async () => {
    const eve = await signUp('eve@example.com')
    const answer = await read<EntitlementsResponse>(`/users/${eve}/entitlements`)
    expect(answer).toMatchObject({ user_id: eve, plan: 'free' })
    expect(isNow(answer.as_of)).toBe(true)
  })

  test('404 not_found: an unknown id, or no id', async () => {
    for (const id of [crypto.randomUUID(), 'ada', '1', 'x%00']) {
      for (const query of ['', '?fresh=true']) {
        const answer = await get(`/users/${id}/entitlements${query}`)
        expect(answer.status).toBe(404)
        expect((await problem(answer)).code).toBe('not_found')
      }
    }
  })

  test('400 query_invalid: another parameter, or another value', async () => {
    for (const query of ['?fresh=1', '?fresh=', '?Fresh=true', '?live=true'])
      expect((await get(`/users/${ada}/entitlements${query}`)).status).toBe(400)
  })
})

describe('GET /internal/users', () => {
  test('200: by id in any letter case, as of the last refresh, and fresh the same as of now', async () => {
    const refreshed = await read<InternalUserResponse>(`/users/${ada.toUpperCase()}`)
    expect(refreshed).toEqual({
      id: ada,
      email: 'Ada@example.com',
      email_verified: false,
      display_name: null,
      status: 'active',
      role: 'user',
      level: 10,
      plan: 'pro',
      created_at: expect.any(String),
      as_of: asOf,
    })
    const fresh = await read<InternalUserResponse>(`/users/${ada}?fresh=true`)
    expect(fresh).toEqual({ ...refreshed, as_of: expect.any(String) })
    expect(isNow(fresh.as_of)).toBe(true)
  })

  test('200: by the whole address in any letter case, one or none', async () => {
    for (const query of ['', '&fresh=true']) {
      const { items } = await read<InternalUsersResponse>(`/users?email=aDA@EXAMPLE.com${query}`)
      expect(items).toMatchObject([{ id: ada }])
      expect(await read(`/users?email=da@example.com${query}`)).toEqual({ items: [] })
    }
  })

  test('200: by the address, an account registered since the refresh, as of now', async () => {
    const id = await signUp('new@example.com')
    const { items } = await read<InternalUsersResponse>('/users?email=new@example.com')
    expect(items).toMatchObject([{ id }])
    expect(isNow(items[0]?.as_of ?? '')).toBe(true)
  })

  test('400 query_invalid: a missing or an invalid address', async () => {
    for (const query of ['', '?email=', '?email=ada', '?email=%25@example.com%00', '?id=1']) {
      const answer = await get(`/users${query}`)
      expect(answer.status).toBe(400)
      expect((await problem(answer)).code).toBe('query_invalid')
    }
  })

  test('404 not_found: an unknown id', async () => {
    expect((await get(`/users/${crypto.randomUUID()}`)).status).toBe(404)
  })
})

describe('POST /internal/entitlements', () => {
  test('200: in the requested order, each once, without unknown ids', async () => {
    const eve = await signUp(`${crypto.randomUUID()}@example.com`)
    const nobody = crypto.randomUUID()
    const { items, missing } = await entitlementsOf([bob, nobody, eve, ada.toUpperCase(), ada])
    expect(items.map(({ user_id }) => user_id)).toEqual([bob, eve, ada])
    expect(missing).toEqual([nobody])
    expect(items.map(({ as_of }) => as_of === asOf)).toEqual([true, false, true])
    expect(isNow(items[1]?.as_of ?? '')).toBe(true)
  })

  test('200: fresh, all as of one moment', async () => {
    const { items, missing } = await entitlementsOf([bob, ada, crypto.randomUUID()], '?fresh=true')
    expect(items.map(({ plan }) => plan)).toEqual(['free', 'pro'])
    expect(new Set(items.map(({ as_of }) => as_of)).size).toBe(1)
    expect(missing).toHaveLength(1)
  })

  test('200: a disabled account has neither permissions nor features', async () => {
    await fullStack.sql`update user_accounts set status = 'disabled' where id = ${ada}`
    await refresh()
    for (const query of ['', '?fresh=true']) {
      const { items } = await entitlementsOf([ada, bob], query)
      expect(items).toMatchObject([
        { status: 'disabled', permissions: [], features: [] },
        { status: 'active', permissions: expect.arrayContaining(['profile.read']) },
      ])
    }
  })

  test('200: a thousand ids, and none', async () => {
    const ids = Array.from({ length: 1000 }, () => crypto.randomUUID())
    expect((await entitlementsOf(ids)).missing).toEqual(ids)
    expect(await entitlementsOf([])).toEqual({ items: [], missing: [] })
  })

  test.each<[string, unknown]>([
    ['a thousand and one ids', { user_ids: Array(1001).fill(crypto.randomUUID()) }],
    ['what is no id', { user_ids: ['ada'] }],
    ['a number', { user_ids: [1] }],
    ['one id alone', { user_ids: crypto.randomUUID() }],
    ['another field', { user_ids: [], fresh: true }],
    ['no ids', {}],
  ])('422 validation_failed: %s', async (_, body) => {
    const answer = await post(body)
    expect(answer.status).toBe(422)
    expect((await problem(answer)).code).toBe('validation_failed')
  })

  test('400 query_invalid: another parameter', async () => {
    expect((await post({ user_ids: [] }, '?stale=true')).status).toBe(400)
  })

  test('413 body_too_large: more than any thousand ids', async () => {
    const answer = await post({ user_ids: Array(2000).fill(crypto.randomUUID()) })
    expect(answer.status).toBe(413)
  })

  test('415 unsupported_media_type: not JSON', async () => {
    const answer = await fullStack.originFetch('/internal/entitlements', {
      method: 'POST',
      headers,
      body: '{}',
    })
    expect(answer.status).toBe(415)
  })
})
