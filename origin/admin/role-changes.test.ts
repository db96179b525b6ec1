import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bearer, createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'

let fullStack: FullStack
let superadmin: string
let manager: string
beforeAll(async () => {
  fullStack = await createFullStack({ environment: { ...highLimits, ACCESS_TOKEN_SECONDS: '3600' } })
  for (const name of ['root', 'manager', 'ada']) await fullStack.signUp(`${name}@example.com`, password)
  // An administrator below the superadmin who may change roles.
  await fullStack.sql`
    insert into roles (name, level, description) values ('manager', 60, 'Manages roles')`
  await fullStack.sql`
    insert into role_permissions (role_id, permission_id)
    select roles.id, permissions.id from roles, permissions
    where roles.name = 'manager' and permissions.name in ('roles.manage', 'profile.read', 'users.read')`
  for (const [email, role] of [
    ['root', 'superadmin'],
    ['manager', 'manager'],
  ])
    await fullStack.sql`
      update user_accounts set role_id = (select id from roles where name = ${role ?? ''}) where email = ${`${email}@example.com`}`
  superadmin = (await fullStack.login('root@example.com', password)).access_token
  manager = (await fullStack.login('manager@example.com', password)).access_token
})
afterAll(() => fullStack.close())
beforeEach(async () => {
  await fullStack.sql`truncate audit_logs`
})

async function send(method: string, path: string, body?: unknown, token = superadmin) {
  const answer = await fullStack.call(path, {
    method,
    headers: { ...bearer(token), ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) }
}

const told = async () => {
  const rows = await fullStack.sql`select scope, subject from revocations order by id`
  await fullStack.sql`truncate revocations`
  return [...rows]
}
const audited = async () => [
  ...(await fullStack.sql`select action, actor_id, details from audit_logs
    where action not like 'login.%' order by id`),
]

const editor = {
  name: 'editor',
  level: 20,
  description: 'Edits',
  permissions: ['profile.read', 'dashboard.read'],
}

describe('a role', () => {
  test('200, 200, 204: is created, changed and removed, each with its audit row', async () => {
    await told()
    const created = { ...editor, permissions: ['dashboard.read', 'profile.read'], is_default: false }
    expect(await send('POST', '/admin/roles', editor)).toEqual({ status: 200, body: created })
    expect(await told()).toEqual([])
    expect(await send('PATCH', '/admin/roles/editor', { level: 30 })).toEqual({
      status: 200,
      body: { ...created, level: 30 },
    })
    expect(await told()).toEqual([{ scope: 'role', subject: 'editor' }])
    expect((await send('PATCH', '/admin/roles/editor', { description: 'Edits all' })).status).toBe(200)
    expect(await told()).toEqual([])
    expect((await send('DELETE', '/admin/roles/editor')).status).toBe(204)
    expect(await told()).toEqual([{ scope: 'role', subject: 'editor' }])
    const actorId = decodeJwt(superadmin).sub
    expect(await audited()).toEqual([
      {
        action: 'role.created',
        actor_id: actorId,
        details: {
          role: 'editor',
          after: { level: 20, description: 'Edits', permissions: created.permissions },
        },
      },
      {
        action: 'role.changed',
        actor_id: actorId,
        details: { role: 'editor', before: { level: 20 }, after: { level: 30 } },
      },
      {
        action: 'role.changed',
        actor_id: actorId,
        details: { role: 'editor', before: { description: 'Edits' }, after: { description: 'Edits all' } },
      },
      {
        action: 'role.removed',
        actor_id: actorId,
        details: {
          role: 'editor',
          before: { level: 30, description: 'Edits all', permissions: created.permissions },
        },
      },
    ])
  })

  test('200: becomes that of new accounts; 409 in_use: and is not removed then', async () => {
    await send('POST', '/admin/roles', editor)
    expect((await send('PATCH', '/admin/roles/editor', { is_default: true })).body).toMatchObject({
      is_default: true,
    })
    const { tokens } = await fullStack.signUp('newcomer@example.com', password)
    expect(decodeJwt(tokens.access_token)).toMatchObject({ role: 'editor', level: 20 })
    expect(await send('DELETE', '/admin/roles/editor')).toMatchObject({
      status: 409,
      body: { code: 'in_use', used_by: 'new_accounts' },
    })
    expect((await send('PATCH', '/admin/roles/user', { is_default: true })).status).toBe(200)
    expect(await send('DELETE', '/admin/roles/editor')).toMatchObject({
      status: 409,
      body: { code: 'in_use', used_by: 'accounts', count: 1 },
    })
  })

  test('422 validation_failed: new accounts would administer the product', async () => {
    expect(await send('PATCH', '/admin/roles/admin', { is_default: true })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/level', detail: 'new accounts would administer the product' }] },
    })
  })

  test('409 name_taken: a name that another role has', async () => {
    expect(await send('POST', '/admin/roles', { ...editor, name: 'guest' })).toMatchObject({
      status: 409,
      body: { code: 'name_taken' },
    })
  })

  test('404 not_found: no such role', async () => {
    for (const [method, body] of [
      ['PATCH', { level: 1 }],
      ['DELETE', undefined],
    ] as const)
      expect(await send(method, '/admin/roles/nobody', body)).toMatchObject({ status: 404 })
  })

  test('422 validation_failed: what no role can be, and unknown permissions by their place', async () => {
    for (const body of [
      { ...editor, name: 'Editor' },
      { ...editor, name: 'e\0' },
      { ...editor, level: 101 },
      { ...editor, level: '20' },
      { ...editor, description: '\0' },
      { ...editor, description: '' },
      { ...editor, epoch: 1 },
    ])
      expect(await send('POST', '/admin/roles', body)).toMatchObject({ status: 422 })
    const unknown = { ...editor, name: 'other', permissions: ['profile.read', 'no.such'] }
    expect((await send('POST', '/admin/roles', unknown)).body).toMatchObject({
      errors: [{ pointer: '/permissions/1', detail: 'is not the name of a permission' }],
    })
    for (const body of [{}, { name: 'x' }, { is_default: false }])
      expect(await send('PATCH', '/admin/roles/guest', body)).toMatchObject({ status: 422 })
  })
})

describe('403 escalation_refused, with an audit row: nobody beyond their own level', () => {
  test.each<[string, string, string, unknown, string]>([
    [
      'a role at their level',
      'POST',
      '/admin/roles',
      { ...editor, name: 'peer', level: 60 },
      'role_at_or_above',
    ],
    [
      'a role with a permission that they lack',
      'POST',
      '/admin/roles',
      { ...editor, name: 'peer' },
      'permission_not_held',
    ],
    ['a change of a role above', 'PATCH', '/admin/roles/admin', { description: 'x' }, 'role_at_or_above'],
    ['a role raised to their level', 'PATCH', '/admin/roles/guest', { level: 60 }, 'role_at_or_above'],
    [
      'a role with a permission that they lack, as that of new accounts',
      'PATCH',
      '/admin/roles/subscriber',
      { is_default: true },
      'permission_not_held',
    ],
    [
      'the description of a permission that they lack',
      'PATCH',
      '/admin/permissions/system.manage',
      { description: 'See the weather' },
      'permission_not_held',
    ],
    ['the removal of their own role', 'DELETE', '/admin/roles/manager', undefined, 'role_at_or_above'],
    [
      'a new permission',
      'POST',
      '/admin/permissions',
      { name: 'x_y.read', description: 'x' },
      'superadmin_only',
    ],
    [
      'the removal of a permission',
      'DELETE',
      '/admin/permissions/reports.export',
      undefined,
      'superadmin_only',
    ],
  ])('%s', async (_, method, path, body, reason) => {
    expect(await send(method, path, body, manager)).toMatchObject({
      status: 403,
      body: { code: 'escalation_refused', reason },
    })
    expect(await audited()).toMatchObject([
      { action: 'role.change_refused', actor_id: decodeJwt(manager).sub, details: { reason } },
    ])
  })
})

test('200: a role whose permissions they hold becomes that of new accounts', async () => {
  const reader = { name: 'reader', level: 15, description: 'Reads', permissions: ['profile.read'] }
  expect((await send('POST', '/admin/roles', reader, manager)).status).toBe(200)
  expect((await send('PATCH', '/admin/roles/reader', { is_default: true }, manager)).status).toBe(200)
  expect((await send('PATCH', '/admin/roles/user', { is_default: true })).status).toBe(200)
})

test('200: the holder of a permission describes it', async () => {
  const description = 'See all accounts and sessions'
  const changed = await send('PATCH', '/admin/permissions/users.read', { description }, manager)
  expect(changed).toEqual({ status: 200, body: { name: 'users.read', description } })
})

describe('a permission', () => {
  test('200, 200, 204: is created for superadmins, changed and removed', async () => {
    await told()
    const orders = { name: 'orders.read', description: 'See orders' }
    expect(await send('POST', '/admin/permissions', orders)).toEqual({ status: 200, body: orders })
    expect(await told()).toEqual([{ scope: 'role', subject: 'superadmin' }])
    await fullStack.syncRevocations()
    superadmin = (await fullStack.login('root@example.com', password)).access_token
    expect(decodeJwt(superadmin).permissions).toContain('orders.read')
    expect(await send('PATCH', '/admin/permissions/orders.read', { description: 'Orders' })).toEqual({
      status: 200,
      body: { ...orders, description: 'Orders' },
    })

    await send('PUT', '/admin/roles/guest/permissions', { permissions: ['profile.read', 'orders.read'] })
    expect(await send('DELETE', '/admin/permissions/orders.read')).toMatchObject({
      status: 409,
      body: { code: 'in_use', used_by: 'roles', count: 1 },
    })
    await send('PUT', '/admin/roles/guest/permissions', { permissions: ['profile.read'] })
    expect((await send('DELETE', '/admin/permissions/orders.read')).status).toBe(204)
    expect((await audited()).map(({ action }) => action)).toEqual([
      'permission.created',
      'permission.changed',
      'role.permissions_changed',
      'role.permissions_changed',
      'permission.removed',
    ])
    superadmin = (await fullStack.login('root@example.com', password)).access_token
  })

  test('409 in_use: routes of the service itself require it; 409 name_taken; 404 not_found', async () => {
    expect(await send('DELETE', '/admin/permissions/users.read')).toMatchObject({
      status: 409,
      body: { code: 'in_use', used_by: 'own_routes' },
    })
    const taken = { name: 'users.read', description: 'x' }
    expect(await send('POST', '/admin/permissions', taken)).toMatchObject({
      status: 409,
      body: { code: 'name_taken' },
    })
    expect(await send('PATCH', '/admin/permissions/no.such', { description: 'x' })).toMatchObject({
      status: 404,
    })
    expect(await send('DELETE', '/admin/permissions/no.such')).toMatchObject({ status: 404 })
  })
})

test('409 tokens_too_large: with size and limit, and nothing written; 204: what makes them smaller', async () => {
  await fullStack.sql`
    with added as (
      insert into permissions (name, description)
      select 'filler.' || repeat('x', 20) || chr(97 + n / 26) || chr(97 + n % 26), 'x'
      from generate_series(0, 199) as n returning id
    )
    insert into role_permissions (role_id, permission_id)
    select roles.id, added.id from roles, added where roles.name = 'superadmin'`
  const refused = await send('POST', '/admin/permissions', { name: 'one.more', description: 'x' })
  expect(refused).toMatchObject({
    status: 409,
    body: { code: 'tokens_too_large', limit: 8192, role: 'superadmin', plan: 'enterprise' },
  })
  expect(refused.body.size).toBeGreaterThan(8192)
  expect(await audited()).toEqual([])
  expect(await fullStack.sql`select from permissions where name = 'one.more'`).toHaveLength(0)
  const filler = `filler.${'x'.repeat(20)}aa`
  expect((await send('DELETE', `/admin/permissions/${filler}`)).status).toBe(204)
})
