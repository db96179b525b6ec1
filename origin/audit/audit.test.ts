import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'
const ada = crypto.randomUUID()
const boss = crypto.randomUUID()

let fullStack: FullStack
let adminToken: string
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  await fullStack.signUp('boss@example.com', password)
  await fullStack.sql`
    update user_accounts set role_id = (select id from roles where name = 'admin') where email = 'boss@example.com'`
  adminToken = (await fullStack.login('boss@example.com', password)).access_token
})
afterAll(() => fullStack.close())
beforeEach(() => fullStack.sql`truncate audit_logs, login_attempts, rate_limit_logs`)

interface List {
  items: { id: string; created_at: string; [member: string]: unknown }[]
  next_cursor: string | null
}

const get = (path: string, token = adminToken) => fullStack.call(path, { headers: bearer(token) })

async function list(path: string): Promise<List> {
  const answer = await get(path)
  expect(answer.status).toBe(200)
  return (await answer.json()) as List
}

/** All items, page by page, as a caller that follows the links gets them. */
async function readThrough(path: string) {
  const items: List['items'] = []
  let next: string | null = path
  while (next) {
    const answer = await get(next)
    items.push(...((await answer.json()) as List).items)
    next = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1] ?? null
  }
  return items
}

/** A row of each list, with the same time. */
async function insertAll(createdAt: string | null = null) {
  const at = createdAt ? fullStack.sql`${createdAt}::text::timestamptz` : fullStack.sql`now()`
  await fullStack.sql`
    with audited as (
      insert into audit_logs (action, created_at) select 'login.failed', ${at} from generate_series(1, 7)
    ), tried as (
      insert into login_attempts (email, succeeded, created_at)
      select 'ada@example.com', true, ${at} from generate_series(1, 7)
    )
    insert into rate_limit_logs (limit_class, limit_key, method, route, created_at)
    select 'address', '203.0.113.7', 'GET', '/v1/plans', ${at} from generate_series(1, 7)`
}

const lists = ['/admin/audit-logs', '/admin/login-attempts', '/admin/rate-limit-logs']

describe.each(lists)('GET %s', (path) => {
  test('200: nothing', async () => {
    expect(await list(path)).toEqual({ items: [], next_cursor: null })
  })

  test('200: rows of one transaction, which share their time, each come once, the newest first', async () => {
    await insertAll()
    const items = await readThrough(`${path}?limit=2`)
    const ids = items.map(({ id }) => Number(id))
    expect(ids).toHaveLength(7)
    expect(new Set(items.map(({ created_at }) => created_at)).size).toBe(1)
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => b - a))
  })

  test('200: rows a microsecond apart each come once, in order', async () => {
    const times = ['00.123001', '00.123002', '00.123999', '00.124000'].map(
      (seconds) => `2026-01-31T12:00:${seconds}Z`,
    )
    for (const time of times) await insertAll(time)
    const items = await readThrough(`${path}?limit=1`)
    expect(items.map(({ created_at }) => created_at)).toEqual(
      times.toReversed().flatMap((time) => Array(7).fill(time)),
    )
    expect(new Set(items.map(({ id }) => id)).size).toBe(28)
  })

  test('200: rows that are added while a client pages do not shift its pages', async () => {
    await insertAll('2026-01-31T12:00:00Z')
    const first = await list(`${path}?limit=3`)
    await insertAll()
    const rest = await readThrough(`${path}?limit=3&cursor=${first.next_cursor}`)
    const ids = [...first.items, ...rest].map(({ id }) => id)
    expect(ids).toHaveLength(7)
    expect(new Set(ids).size).toBe(7)
  })

  test('200: from is included, to is not, both with microseconds', async () => {
    for (const micros of ['1', '2', '3']) await insertAll(`2026-01-31T12:00:00.00000${micros}Z`)
    const items = await readThrough(`${path}?from=2026-01-31T12:00:00.000002Z&to=2026-01-31T12:00:00.000003Z`)
    expect(items.map(({ created_at }) => created_at)).toEqual(Array(7).fill('2026-01-31T12:00:00.000002Z'))
  })

  const cursor = (...position: unknown[]) => Buffer.from(JSON.stringify(position)).toString('base64url')
  test.each([
    ['user', 'user=x'],
    ['limit', 'limit=0'],
    ['limit', 'limit=201'],
    ['from', 'from=yesterday'],
    ['from', 'from=2026-02-30T12:00:00Z'],
    ['from', 'from=0000-01-01T00:00:00Z'],
    ['to', 'to=2026-01-31T12:00:00%2B23:59'],
    ['to', `to=2026-01-31T12:00:00.${'1'.repeat(200)}Z`],
    ['cursor', 'cursor=x'],
    ['cursor', `cursor=${cursor('2026-01-31T12:00:00Z')}`],
    ['cursor', `cursor=${cursor('infinity', '1')}`],
    ['cursor', `cursor=${cursor('0000-01-31T12:00:00Z', '1')}`],
    ['cursor', `cursor=${cursor('2026-01-31T12:00:00Z', '9'.repeat(19))}`],
    ['cursor', `cursor=${cursor('2026-01-31T12:00:00Z', 1)}`],
  ])('400 query_invalid: naming %s of %s', async (parameter, query) => {
    const answer = await get(`${path}?${query}`)
    expect(answer.status).toBe(400)
    expect(await problem(answer)).toMatchObject({ code: 'query_invalid', errors: [{ parameter }] })
  })

  test('403 permission_required: not without audit.read', async () => {
    const { tokens } = await fullStack.signUp(`${crypto.randomUUID()}@example.com`, password)
    const answer = await get(path, tokens.access_token)
    expect(answer.status).toBe(403)
    expect((await problem(answer)).code).toBe('permission_required')
  })

  test('401 token_missing: not for anybody', async () => {
    expect((await fullStack.call(path)).status).toBe(401)
  })
})

describe('GET /admin/audit-logs', () => {
  test('200: the filtered rows, as they were written', async () => {
    await fullStack.sql`
      insert into audit_logs (action, actor_id, user_id, session_id, ip, user_agent, request_id, details) values
        ('role.changed', ${boss}, ${ada}, null, '203.0.113.7', 'test', 'request-1', '{"to":"admin"}'),
        ('login.failed', null, ${ada}, null, null, null, null, '{}'),
        ('role.changed', ${boss}, ${boss}, null, null, null, null, '{}')`
    expect((await list(`/admin/audit-logs?user_id=${ada}&action=role.changed`)).items).toEqual([
      {
        id: expect.any(String),
        action: 'role.changed',
        actor_id: boss,
        actor_email: null,
        user_id: ada,
        user_email: null,
        session_id: null,
        ip: '203.0.113.7',
        user_agent: 'test',
        request_id: 'request-1',
        details: { to: 'admin' },
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      },
    ])
    expect((await list(`/admin/audit-logs?user_id=${ada.toUpperCase()}`)).items).toHaveLength(2)
    expect((await list(`/admin/audit-logs?actor_id=${boss}`)).items).toHaveLength(2)
    expect((await list('/admin/audit-logs?action=login.failed')).items).toHaveLength(1)
  })

  test('200: with the addresses of the accounts, and by the address of either in any letter case', async () => {
    const { tokens } = await fullStack.signUp('zoe@example.com', password)
    const zoe = decodeJwt(tokens.access_token).sub ?? ''
    const admin = decodeJwt(adminToken).sub ?? ''
    await fullStack.sql`truncate audit_logs`
    await fullStack.sql`
      insert into audit_logs (action, actor_id, user_id, created_at) values
        ('account.disabled', ${admin}, ${zoe}, '2026-01-31T12:00:00Z'),
        ('login.succeeded', ${zoe}, ${zoe}, '2026-01-31T12:00:01Z'),
        ('profile.read', ${zoe}, null, '2026-01-31T12:00:02Z'),
        ('login.failed', null, ${ada}, '2026-01-31T12:00:03Z')`
    const found = await list('/admin/audit-logs?email=ZOE@example.com')
    expect(
      found.items.map(({ action, actor_email, user_email }) => [action, actor_email, user_email]),
    ).toEqual([
      ['profile.read', 'zoe@example.com', null],
      ['login.succeeded', 'zoe@example.com', 'zoe@example.com'],
      ['account.disabled', 'boss@example.com', 'zoe@example.com'],
    ])
    const paged = await readThrough('/admin/audit-logs?email=zoe@example.com&limit=1')
    expect(paged).toEqual(found.items)
    expect((await list('/admin/audit-logs?email=boss@example.com')).items).toHaveLength(1)
    expect(
      (
        await list(
          '/admin/audit-logs?email=zoe@example.com&from=2026-01-31T12:00:01Z&to=2026-01-31T12:00:02Z',
        )
      ).items,
    ).toHaveLength(1)
    expect((await list('/admin/audit-logs?email=nobody@example.com')).items).toEqual([])
    expect((await list('/admin/audit-logs?action=login.failed')).items).toMatchObject([
      { user_id: ada, user_email: null },
    ])
  })

  test('200: a login leaves its row', async () => {
    await fullStack.login('boss@example.com', password)
    expect((await list('/admin/audit-logs?action=login.succeeded')).items).toHaveLength(1)
  })

  test('400 query_invalid: what cannot be an id or an action', async () => {
    for (const query of [
      'user_id=1',
      'actor_id=ada',
      'email=ada',
      'action=',
      'action=Login',
      'action=a.b%00',
    ])
      expect((await get(`/admin/audit-logs?${query}`)).status).toBe(400)
  })
})

describe('GET /admin/login-attempts', () => {
  beforeEach(async () => {
    await fullStack.post(
      '/auth/login',
      { email: 'Eve@Example.com', password: 'wrong' },
      { address: '2001:db8::1' },
    )
    await fullStack.login('boss@example.com', password)
  })

  test('200: by the address in any letter case', async () => {
    expect((await list('/admin/login-attempts?email=eVE@example.COM')).items).toMatchObject([
      {
        user_id: null,
        ip: '2001:db8::1',
        outcome: 'failed',
        reason: 'unknown_account',
      },
    ])
    expect((await list('/admin/login-attempts?email=ve@example.com')).items).toEqual([])
  })

  test('200: by where from, in any spelling of it', async () => {
    for (const ip of ['2001:db8::1', '2001:DB8:0::1'])
      expect((await list(`/admin/login-attempts?ip=${ip}`)).items).toHaveLength(1)
    expect((await list('/admin/login-attempts?ip=203.0.113.7')).items).toMatchObject([
      { outcome: 'succeeded' },
    ])
  })

  test('200: by outcome, and by account', async () => {
    const [succeeded, ...others] = (await list('/admin/login-attempts?outcome=succeeded')).items
    expect(others).toEqual([])
    expect(succeeded).toMatchObject({ email: 'boss@example.com', outcome: 'succeeded', reason: null })
    expect((await list(`/admin/login-attempts?user_id=${succeeded?.user_id}`)).items).toEqual([succeeded])
    expect((await list('/admin/login-attempts?outcome=failed')).items).toHaveLength(1)
  })

  test('400 query_invalid: what cannot be an address or an outcome', async () => {
    for (const query of ['email=ada', 'ip=1', 'ip=203.0.113.0/24', 'ip=fe80::1%25eth0', 'outcome=yes'])
      expect((await get(`/admin/login-attempts?${query}`)).status).toBe(400)
  })
})

describe('GET /admin/rate-limit-logs', () => {
  test('200: by key and class', async () => {
    await fullStack.sql`
      insert into rate_limit_logs (limit_class, limit_key, method, route, refused) values
        ('address', '203.0.113.7', 'GET', '/v1/plans', 3),
        ('user', ${ada}, 'POST', '/v1/things/{id}', 4)`
    expect((await list(`/admin/rate-limit-logs?key=${ada}`)).items).toEqual([
      {
        id: expect.any(String),
        class: 'user',
        key: ada,
        method: 'POST',
        route: '/v1/things/{id}',
        count: 4,
        report_only: false,
        created_at: expect.any(String),
      },
    ])
    expect((await list('/admin/rate-limit-logs?class=address')).items).toMatchObject([{ count: 3 }])
    expect((await list('/admin/rate-limit-logs?class=user&key=203.0.113.7')).items).toEqual([])
  })

  test('400 query_invalid: what cannot be a key or a class', async () => {
    for (const query of ['key=', 'key=a%00', 'class=Address'])
      expect((await get(`/admin/rate-limit-logs?${query}`)).status).toBe(400)
  })
})
