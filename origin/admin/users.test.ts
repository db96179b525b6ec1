import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { forceRace } from '../../test/support/full-stack/force-race.ts'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'
const roles = ['guest', 'user', 'subscriber', 'admin', 'superadmin'] as const
type Role = (typeof roles)[number]

let fullStack: FullStack
const ids = {} as Record<Role | 'second', string>
const tokens = {} as Record<Role, string>

beforeAll(async () => {
  fullStack = await createFullStack({ environment: { ...highLimits, ACCESS_TOKEN_SECONDS: '3600' } })
  const { tokens: first } = await fullStack.signUp('user@example.com', password)
  expect(first.access_token).toBeTruthy()
  await fullStack.sql`
    insert into user_accounts (email, password_hash, role_id)
    select name || '@example.com', (select password_hash from user_accounts limit 1), id from roles where name <> 'user'`
  await fullStack.sql`
    insert into user_accounts (email, password_hash, role_id)
    select 'second@example.com', (select password_hash from user_accounts limit 1), id from roles where name = 'user'`
  for (const { id, email } of await fullStack.sql<{ id: string; email: string }[]>`
    select id, email from user_accounts`)
    ids[email.split('@')[0] as Role] = id
  for (const role of roles)
    tokens[role] = (await fullStack.login(`${role}@example.com`, password)).access_token
})
afterAll(() => fullStack.close())

beforeEach(async () => {
  await fullStack.sql`
    update user_accounts set status = 'active',
      role_id = (select id from roles where name = replace(split_part(email, '@', 1), 'second', 'user'))`
  await fullStack.sql`truncate audit_logs, revocations, login_counters`
})

function send(method: string, path: string, by: Role, body?: unknown) {
  return fullStack.call(path, {
    method,
    headers: { ...bearer(tokens[by]), ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}

const setRole = (by: Role, target: string, role: string) =>
  send('PUT', `/admin/users/${target}/role`, by, { role })

const audit = () =>
  fullStack.sql<{ action: string; actor_id: string; user_id: string; details: Record<string, unknown> }[]>`
    select action, actor_id, user_id, details from audit_logs order by id`

const epochs = () => fullStack.sql<{ scope: string; subject: string }[]>`
  select scope, subject from revocations where scope <> 'session' order by id`

interface ListResponse<Item> {
  items: Item[]
  next_cursor: string | null
}

describe('GET /admin/users', () => {
  async function list(query: string) {
    const answer = await send('GET', `/admin/users?${query}`, 'admin')
    expect(answer.status).toBe(200)
    return (await answer.json()) as ListResponse<{ email: string; role: string; status: string }>
  }

  test('200: by address, page by page, each account once; the Link leads on', async () => {
    const seen: string[] = []
    let path: string | undefined = '/admin/users?limit=2'
    while (path) {
      const answer = await send('GET', path, 'admin')
      const page = (await answer.json()) as ListResponse<{ email: string }>
      seen.push(...page.items.map(({ email }) => email))
      path = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1]
      expect(path === undefined).toBe(page.next_cursor === null)
    }
    expect(seen).toEqual([...seen].sort())
    expect(seen).toHaveLength(6)
  })

  test('200: a prefix in any letter case, whose % and _ are letters like others', async () => {
    expect((await list('email_prefix=SU')).items.map(({ email }) => email)).toEqual([
      'subscriber@example.com',
      'superadmin@example.com',
    ])
    expect((await list('email_prefix=%25')).items).toEqual([])
    expect((await list('email_prefix=u_er')).items).toEqual([])
  })

  test('200: by role, by status, by both', async () => {
    await fullStack.sql`update user_accounts set status = 'disabled' where email = 'second@example.com'`
    expect((await list('role=user')).items.map(({ email }) => email)).toEqual([
      'second@example.com',
      'user@example.com',
    ])
    expect((await list('status=disabled')).items).toMatchObject([{ email: 'second@example.com' }])
    expect((await list('status=active&role=user&limit=1')).items).toMatchObject([
      { email: 'user@example.com' },
    ])
    expect((await list('role=nobody')).items).toEqual([])
  })

  test('400 query_invalid: a broken cursor, an unknown filter, too long a page, each by its name', async () => {
    for (const [query, parameter] of [
      ['cursor=x', 'cursor'],
      [`cursor=${Buffer.from('[1]').toString('base64url')}`, 'cursor'],
      ['order=email', 'order'],
      ['limit=201', 'limit'],
      ['limit=0', 'limit'],
      ['status=locked', 'status'],
    ]) {
      const answer = await send('GET', `/admin/users?${query}`, 'admin')
      expect(answer.status).toBe(400)
      expect(await problem(answer)).toMatchObject({ code: 'query_invalid', errors: [{ parameter }] })
    }
  })
})

describe('GET /admin/users/{id}', () => {
  test('200: the account, its plan, and until when it is locked', async () => {
    for (let tries = 0; tries < 5; tries++)
      await fullStack.post('/auth/login', { email: 'second@example.com', password: 'wrong wrong wrong' })
    const answer = await send('GET', `/admin/users/${ids.second}`, 'admin')
    expect(await answer.json()).toEqual({
      id: ids.second,
      email: 'second@example.com',
      display_name: null,
      role: 'user',
      level: 10,
      plan: 'free',
      status: 'active',
      email_verified: false,
      created_at: expect.stringMatching(/Z$/),
      locked_until: expect.stringMatching(/Z$/),
    })
  })

  test('404 not_found: an unknown id, and no id', async () => {
    for (const id of [crypto.randomUUID(), 'x', '1'])
      expect((await send('GET', `/admin/users/${id}`, 'admin')).status).toBe(404)
  })
})

describe('PUT /admin/users/{id}/role', () => {
  test('204: audited with before and after, and the epoch rises', async () => {
    expect((await setRole('admin', ids.second, 'subscriber')).status).toBe(204)
    expect(await audit()).toEqual([
      {
        action: 'account.role_changed',
        actor_id: ids.admin,
        user_id: ids.second,
        details: { before: { role: 'user' }, after: { role: 'subscriber' } },
      },
    ])
    expect(await epochs()).toEqual([{ scope: 'user', subject: ids.second }])
  })

  test('204: the role that it has already changes nothing', async () => {
    expect((await setRole('admin', ids.second, 'user')).status).toBe(204)
    expect(await audit()).toEqual([])
    expect(await epochs()).toEqual([])
  })

  test('a demoted user gets claims_stale at once, and the new permissions by a refresh', async () => {
    const session = await fullStack.login('second@example.com', password)
    await setRole('admin', ids.second, 'guest')
    await fullStack.syncRevocations()
    const refused = await fullStack.call('/auth/sessions', { headers: bearer(session.access_token) })
    expect({ status: refused.status, code: (await problem(refused)).code }).toEqual({
      status: 401,
      code: 'claims_stale',
    })
    const refreshed = await fullStack.post('/auth/refresh', { refresh_token: session.refresh_token })
    const { access_token } = (await refreshed.json()) as { access_token: string }
    expect(decodeJwt(access_token)).toMatchObject({ role: 'guest', permissions: ['profile.read'] })
    expect((await fullStack.call('/auth/sessions', { headers: bearer(access_token) })).status).toBe(200)
  })

  test.each<[string, Role, Role | 'second', string, string]>([
    ['oneself', 'superadmin', 'superadmin', 'user', 'own_account'],
    ['somebody above', 'admin', 'superadmin', 'user', 'target_at_or_above'],
    ['to admin, by an admin', 'admin', 'second', 'admin', 'superadmin_only'],
    ['to superadmin, by an admin', 'admin', 'second', 'superadmin', 'role_above_own'],
  ])('403 escalation_refused: %s; audited, and nothing changed', async (_, by, target, role, reason) => {
    const answer = await setRole(by, ids[target], role)
    expect(answer.status).toBe(403)
    expect(await problem(answer)).toMatchObject({ code: 'escalation_refused', reason })
    expect(await audit()).toMatchObject([
      { action: 'account.change_refused', details: { attempted: `role ${role}`, reason } },
    ])
    expect(await epochs()).toEqual([])
  })

  test('403 escalation_refused: an admin gives a lower role with a permission that they lack', async () => {
    await fullStack.sql`
      insert into roles (name, level, description) values ('keeper', 30, 'Keeps roles')`
    await fullStack.sql`
      insert into role_permissions (role_id, permission_id)
      select roles.id, permissions.id from roles, permissions
      where roles.name = 'keeper' and permissions.name in ('profile.read', 'roles.manage')`
    const rejected = await setRole('admin', ids.second, 'keeper')
    expect(rejected.status).toBe(403)
    expect(await problem(rejected)).toMatchObject({ reason: 'permission_not_held' })
    expect(await audit()).toMatchObject([
      {
        action: 'account.change_refused',
        details: { attempted: 'role keeper', reason: 'permission_not_held' },
      },
    ])
    expect(await epochs()).toEqual([])
    expect((await setRole('superadmin', ids.second, 'keeper')).status).toBe(204)
    // An admin may still take it away.
    expect((await setRole('admin', ids.second, 'user')).status).toBe(204)
    await fullStack.sql`delete from role_permissions where role_id = (select id from roles where name = 'keeper')`
    await fullStack.sql`delete from roles where name = 'keeper'`
  })

  test('204: superadmin makes an admin', async () => {
    expect((await setRole('superadmin', ids.second, 'admin')).status).toBe(204)
  })

  test('422 validation_failed: an unknown role; 404 not_found: an unknown account', async () => {
    expect((await setRole('admin', ids.second, 'emperor')).status).toBe(422)
    expect((await setRole('admin', crypto.randomUUID(), 'user')).status).toBe(404)
  })

  // The token still says admin: what counts is the row that the transaction holds.
  test('403 escalation_refused: an admin who is demoted at the same time', async () => {
    const answers = await forceRace(fullStack, {
      at: `select from user_accounts where id = '${ids.admin}' for update`,
      requests: () => [setRole('superadmin', ids.admin, 'guest')],
      waiting: 1,
      whileWaiting: async () => {},
    })
    expect(answers.map(({ status }) => status)).toEqual([204])
    const late = await setRole('admin', ids.second, 'subscriber')
    expect({ status: late.status, code: (await problem(late)).code }).toEqual({
      status: 403,
      code: 'escalation_refused',
    })
  })

  // Until the gateways have read the revocation, a disabled admin's token is still let through.
  test.each<[string, string, (target: string) => string, unknown?]>([
    ['no role', 'PUT', (target) => `/admin/users/${target}/role`, { role: 'guest' }],
    ['no lock', 'POST', (target) => `/admin/users/${target}/lock`, {}],
    ['no end of a session', 'DELETE', (target) => `/admin/users/${target}/sessions`],
    ['nothing that a role may do', 'PUT', () => '/admin/roles/guest/permissions', { permissions: [] }],
  ])(
    '403 escalation_refused: a superadmin who was just disabled changes %s',
    async (_, method, path, body) => {
      await fullStack.sql`update user_accounts set status = 'disabled' where id = ${ids.superadmin}`
      const answer = await send(method, path(ids.second), 'superadmin', body)
      expect({ status: answer.status, code: (await problem(answer)).code }).toEqual({
        status: 403,
        code: 'escalation_refused',
      })
      expect(await epochs()).toEqual([])
    },
  )

  test('two users who change each other at the same time both get a response', async () => {
    await fullStack.sql`
      update user_accounts set role_id = (select id from roles where name = 'superadmin') where id = ${ids.admin}`
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        n % 2 === 0 ? setRole('superadmin', ids.admin, 'user') : setRole('admin', ids.superadmin, 'user'),
      ),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([403]))
  })
})

describe('POST /admin/users/{id}/lock and unlock', () => {
  test('204: sessions end, no refresh, no login, until it is enabled', async () => {
    const session = await fullStack.login('second@example.com', password)
    const lock = await send('POST', `/admin/users/${ids.second}/lock`, 'admin', { reason: 'fraud' })
    expect(lock.status).toBe(204)
    await fullStack.syncRevocations()
    expect((await fullStack.call('/v1/me', { headers: bearer(session.access_token) })).status).toBe(401)
    const refresh = await fullStack.post('/auth/refresh', { refresh_token: session.refresh_token })
    expect(refresh.status).toBe(401)
    const login = () => fullStack.post('/auth/login', { email: 'second@example.com', password })
    const refused = await login()
    expect({ status: refused.status, code: (await problem(refused)).code }).toEqual({
      status: 401,
      code: 'invalid_credentials',
    })
    expect(await audit()).toContainEqual({
      action: 'account.disabled',
      actor_id: ids.admin,
      user_id: ids.second,
      details: {
        before: { status: 'active' },
        after: { status: 'disabled' },
        reason: 'fraud',
        sessions_ended: expect.any(Number),
      },
    })

    expect((await send('POST', `/admin/users/${ids.second}/unlock`, 'admin')).status).toBe(204)
    expect((await login()).status).toBe(200)
    expect((await audit()).map(({ action }) => action)).toContain('account.enabled')
  })

  test('204: disabled twice, one audit row', async () => {
    for (let time = 0; time < 2; time++)
      expect((await send('POST', `/admin/users/${ids.second}/lock`, 'admin', {})).status).toBe(204)
    expect((await audit()).filter(({ action }) => action === 'account.disabled')).toHaveLength(1)
  })

  // An admin who could have the failures of a superadmin forgotten could guess at that password for
  // ever.
  test('403 escalation_refused: no admin clears the failed logins of an account at or above their level', async () => {
    for (let tries = 0; tries < 5; tries++)
      await fullStack.post('/auth/login', { email: 'superadmin@example.com', password: 'wrong' })
    const answer = await send('POST', `/admin/users/${ids.superadmin}/unlock`, 'admin')
    expect(answer.status).toBe(403)
    expect(await problem(answer)).toMatchObject({ code: 'escalation_refused', reason: 'target_at_or_above' })
    const login = await fullStack.post('/auth/login', { email: 'superadmin@example.com', password })
    expect(login.status).toBe(401)
    expect(await audit()).toContainEqual({
      action: 'account.change_refused',
      actor_id: ids.admin,
      user_id: ids.superadmin,
      details: { attempted: 'unlock', reason: 'target_at_or_above' },
    })
  })

  test('403 escalation_refused: no admin disables or enables an account at or above their level', async () => {
    expect((await send('POST', `/admin/users/${ids.superadmin}/lock`, 'admin', {})).status).toBe(403)
    await fullStack.sql`update user_accounts set status = 'disabled' where id = ${ids.superadmin}`
    expect((await send('POST', `/admin/users/${ids.superadmin}/unlock`, 'admin')).status).toBe(403)
  })
})

describe('/admin/users/{id}/sessions', () => {
  const path = () => `/admin/users/${ids.second}/sessions`

  test('200: live sessions, the newest first, page by page', async () => {
    await fullStack.sql`update sessions set ended_at = now(), end_reason = 'logout' where user_id = ${ids.second} and ended_at is null`
    for (let n = 0; n < 3; n++) await fullStack.login('second@example.com', password)
    const first = (await (await send('GET', `${path()}?limit=2`, 'admin')).json()) as ListResponse<{
      id: string
    }>
    const second = (await (
      await send('GET', `${path()}?limit=2&cursor=${first.next_cursor}`, 'admin')
    ).json()) as ListResponse<{ id: string }>
    expect(new Set([...first.items, ...second.items].map(({ id }) => id)).size).toBe(3)
    expect(second.next_cursor).toBe(null)
  })

  // Its owner does not see it either: nothing can be done with it.
  test('200: a session that idled out, or is past its end, is not live', async () => {
    await fullStack.sql`update sessions set ended_at = now(), end_reason = 'logout' where user_id = ${ids.second} and ended_at is null`
    for (let n = 0; n < 3; n++) await fullStack.login('second@example.com', password)
    const live = async () => {
      const { items } = (await (await send('GET', path(), 'admin')).json()) as ListResponse<{ id: string }>
      return items.map(({ id }) => id)
    }
    const [newest, middle, oldest] = await live()
    await fullStack.sql`update tokens set expires_at = now() where session_id = ${newest ?? ''}`
    await fullStack.sql`update sessions set expires_at = now() where id = ${oldest ?? ''}`
    expect(await live()).toEqual([middle])
    await fullStack.sql`delete from sessions where user_id = ${ids.second}`
  })

  test('204: ends one, then all; each end is sent to the gateways and audited', async () => {
    for (let n = 0; n < 2; n++) await fullStack.login('second@example.com', password)
    const { items } = (await (await send('GET', path(), 'admin')).json()) as ListResponse<{ id: string }>
    expect((await send('DELETE', `${path()}/${items[0]?.id}`, 'admin')).status).toBe(204)
    expect((await send('DELETE', `${path()}/${items[0]?.id}`, 'admin')).status).toBe(404)
    expect((await send('DELETE', path(), 'admin')).status).toBe(204)
    const [{ count }] = await fullStack.sql<[{ count: number }]>`
      select count(*)::int as count from revocations where scope = 'session'`
    expect(count).toBe(items.length)
    expect((await audit()).filter(({ action }) => action === 'session.ended')).toHaveLength(2)
  })

  test('404 not_found: the session of another user', async () => {
    const [other] = await fullStack.sql<[{ id: string }]>`
      select id from sessions where user_id = ${ids.superadmin} and ended_at is null`
    expect((await send('DELETE', `${path()}/${other.id}`, 'admin')).status).toBe(404)
  })

  test('403 escalation_refused: the sessions of an account above', async () => {
    expect((await send('DELETE', `/admin/users/${ids.superadmin}/sessions`, 'admin')).status).toBe(403)
  })
})

describe('roles and permissions', () => {
  const put = (by: Role, role: string, permissions: string[]) =>
    send('PUT', `/admin/roles/${role}/permissions`, by, { permissions })

  test('200: all roles with what they may do, all permissions', async () => {
    const { items } = (await (await send('GET', '/admin/roles', 'admin')).json()) as ListResponse<{
      name: string
    }>
    expect(items.map(({ name }) => name)).toEqual([...roles].sort())
    const permissions = await (await send('GET', '/admin/permissions?limit=5', 'admin')).json()
    expect((permissions as ListResponse<unknown>).items).toHaveLength(5)
  })

  test('200: one row makes the tokens of all users of a role stale; then they refresh', async () => {
    const before = ['dashboard.read', 'profile.read', 'profile.write']
    expect(await (await put('superadmin', 'user', ['profile.read'])).json()).toMatchObject({
      permissions: ['profile.read'],
    })
    expect(await epochs()).toEqual([{ scope: 'role', subject: 'user' }])
    expect(await audit()).toMatchObject([
      {
        action: 'role.permissions_changed',
        details: { role: 'user', before: { permissions: before }, after: { permissions: ['profile.read'] } },
      },
    ])
    const { access_token } = await fullStack.login('second@example.com', password)
    expect(decodeJwt(access_token).permissions).toEqual(['profile.read'])
    expect((await put('superadmin', 'user', before)).status).toBe(200)
  })

  test('403 escalation_refused: one’s own role; audited', async () => {
    const answer = await put('superadmin', 'superadmin', [])
    expect(await problem(answer)).toMatchObject({ code: 'escalation_refused', reason: 'role_at_or_above' })
    expect(await audit()).toMatchObject([{ action: 'role.change_refused' }])
  })

  test.each(['sky.fly', 'fly', '\0'])('422 validation_failed: %j, by its place', async (name) => {
    const answer = await put('superadmin', 'user', ['profile.read', name])
    expect(answer.status).toBe(422)
    expect(await problem(answer)).toMatchObject({
      code: 'validation_failed',
      errors: [{ pointer: '/permissions/1', detail: 'is not the name of a permission' }],
    })
  })

  test('403 permission_required: an admin', async () => {
    expect((await put('admin', 'user', [])).status).toBe(403)
  })
})
