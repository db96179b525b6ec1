import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { routes } from '../../gateway/routes.ts'
import { bearer, createFullStack, type FullStack, problem } from '../support/full-stack/full-stack.ts'
import { highLimits } from '../support/high-limits.ts'

const password = 'correct horse battery'
const limit = 3

/** Short lists, which come whole. */
const unpaged = ['/admin/users/{id}/api-keys']

/** Every other list of the admin API, as the policy table has it: a row that ends in the plural. */
const lists = routes
  .filter(({ method, path }) => method === 'GET' && path.startsWith('/admin/') && path.endsWith('s'))
  .map(({ path }) => path)
  .filter((path) => !unpaged.includes(path))

let fullStack: FullStack
let token: string
let userId: string
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  for (const name of ['ada', 'alan', 'boss', 'grace', 'radia'])
    await fullStack.signUp(`${name}@example.com`, password)
  await fullStack.sql`
    update user_accounts set role_id = (select id from roles where name = 'superadmin') where email = 'boss@example.com'`
  await fullStack.sql`
    insert into rate_limit_logs (limit_class, limit_key, method, route)
    select 'address', '203.0.113.' || n, 'GET', '/v1/plans' from generate_series(1, 7) as n`
  await fullStack.sql`
    insert into usage_days (user_id, day, limit_name, used)
    select id, date '2026-01-01' + n, 'user', n from user_accounts, generate_series(1, 7) as n
    where email = 'ada@example.com'`
  await fullStack.sql`
    insert into oauth_clients (id, secret_hash, scopes)
    select 'service-' || n, sha256('x'), '{users.read}' from generate_series(1, 5) as n`
  for (let runs = 0; runs < 5; runs++)
    await fullStack.sql`insert into upkeep_runs (job, slot) values ('mail_outbox', now() - interval '1 hour' * ${runs})`
  for (let logins = 0; logins < 4; logins++)
    token = (await fullStack.login('boss@example.com', password)).access_token
  const [row] = await fullStack.sql<
    [{ id: string }]
  >`select id from user_accounts where email = 'boss@example.com'`
  userId = row.id
})
afterAll(() => fullStack.close())

const get = (list: string, query: Record<string, string> = {}) =>
  fullStack.call(`${list.replace('{id}', userId)}?${new URLSearchParams(query)}`, { headers: bearer(token) })

interface Page {
  items: Record<string, unknown>[]
  next_cursor: string | null
}

const nameOf = ({ id, name, plan, day }: Record<string, unknown>) => String(id ?? name ?? plan ?? day)

const cursorOf = (position: unknown) => Buffer.from(JSON.stringify(position)).toString('base64url')

/**
 * Forged cursors: not base64, not JSON, no position, and values that PostgreSQL rejects as text,
 * number or time.
 */
const madeUp: [string, string][] = [
  ['nothing', ''],
  ['no base64', '!!!'],
  ['no JSON', Buffer.from('[').toString('base64url')],
  ['no position', cursorOf({})],
  ['too short a position', cursorOf([])],
  ['a position of another shape', cursorOf([[], {}, null])],
  ['the character that no text holds', cursorOf(['\0'])],
  ['the same, after a time', cursorOf(['2026-01-01T00:00:00Z', '\0'])],
  ['a number beyond all', cursorOf(['9'.repeat(400)])],
  ['a time that is none', cursorOf(['2026-13-45T99:00:00Z', '1'])],
  ['too long', 'A'.repeat(2000)],
]

test('there is a list for everything that admins look at', () => {
  expect(lists.sort()).toEqual(
    [
      'audit-logs',
      'clients',
      'features',
      'login-attempts',
      'permissions',
      'plans',
      'quotas',
      'rate-limit-logs',
      'roles',
      'subscriptions',
      'upkeep-runs',
      'usage-days',
      'users',
      'users/{id}/sessions',
    ].map((name) => `/admin/${name}`),
  )
})

describe.each(lists)('GET %s', (list) => {
  test('200: page by page by the Link alone, each item once, in the order of one long page', async () => {
    const whole = (await (await get(list, { limit: '200' })).json()) as Page
    expect(whole.next_cursor).toBeNull()
    expect(whole.items.length).toBeGreaterThan(limit)

    const walked: string[] = []
    let next: string | undefined = `${list.replace('{id}', userId)}?limit=${limit}`
    while (next !== undefined) {
      const answer = await fullStack.call(next, { headers: bearer(token) })
      expect(answer.status).toBe(200)
      const { items, next_cursor: cursor } = (await answer.json()) as Page
      expect(items.length).toBeLessThanOrEqual(limit)
      walked.push(...items.map(nameOf))
      next = /^<(.+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1]
      expect(next && new URL(next, 'http://gateway.test').searchParams.get('cursor')).toBe(
        cursor ?? undefined,
      )
    }
    expect(walked).toEqual(whole.items.map(nameOf))
  })

  test.each(madeUp)('400 query_invalid: as a cursor, %s', async (_, cursor) => {
    const answer = await get(list, { cursor })
    expect(answer.status).toBe(400)
    expect(await problem(answer)).toMatchObject({
      code: 'query_invalid',
      errors: [expect.objectContaining({ parameter: 'cursor' })],
    })
  })

  test.each(['0', '201', '-1', '1.5', 'all', ''])('400 query_invalid: as a limit, "%s"', async (given) => {
    const answer = await get(list, { limit: given })
    expect(answer.status).toBe(400)
    expect((await problem(answer)).code).toBe('query_invalid')
  })

  test('400 query_invalid: a parameter that it does not know', async () => {
    const answer = await get(list, { colour: 'red' })
    expect(answer.status).toBe(400)
    expect(await problem(answer)).toMatchObject({
      errors: [expect.objectContaining({ parameter: 'colour' })],
    })
  })
})

test.each(['%00', '%E2%80%AE'])('400 query_invalid: GET /admin/users by the prefix %s', async (prefix) => {
  const answer = await fullStack.call(`/admin/users?email_prefix=${prefix}`, { headers: bearer(token) })
  expect(answer.status).toBe(400)
  expect(await problem(answer)).toMatchObject({
    errors: [expect.objectContaining({ parameter: 'email_prefix' })],
  })
})
