import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ClientResponse, ClientSecretResponse } from '../../../shared/contract.ts'
import { bearer, problem } from '../../../test/support/full-stack/full-stack.ts'
import {
  basic,
  createOAuthFullStack,
  type OAuthFullStack,
} from '../../../test/support/full-stack/oauth-full-stack.ts'

const password = 'correct horse battery'

let fullStack: OAuthFullStack
let token: string
let adminToken: string
beforeAll(async () => {
  fullStack = await createOAuthFullStack()
  const signUpAs = async (role: string) => {
    const email = `${role}@example.com`
    await fullStack.signUp(email, password)
    await fullStack.sql`
      update user_accounts set role_id = (select id from roles where name = ${role}) where email = ${email}`
    return (await fullStack.login(email, password)).access_token
  }
  token = await signUpAs('superadmin')
  adminToken = await signUpAs('admin')
})
afterAll(() => fullStack.close())
beforeEach(() => fullStack.sql`truncate oauth_clients, audit_logs`)

function call(method: string, path: string, body?: unknown, bearerToken = token) {
  const headers = { ...bearer(bearerToken), 'content-type': 'application/json' }
  return fullStack.call(`/admin/clients${path}`, {
    method,
    headers,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}

async function create(id: string, scopes = ['users.read']): Promise<string> {
  const answer = await call('POST', '', { id, scopes })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  return ((await answer.json()) as ClientSecretResponse).client_secret
}

async function rotate(id: string, body: object): Promise<ClientSecretResponse> {
  const answer = await call('POST', `/${id}/secret`, body)
  expect(answer.status).toBe(200)
  return (await answer.json()) as ClientSecretResponse
}

const read = async (id: string) => (await (await call('GET', `/${id}`)).json()) as ClientResponse

/** The status of a request for a token. */
const tryToken = async (id: string, secret: string) =>
  (
    await fullStack.postForm(
      '/oauth/token',
      { grant_type: 'client_credentials' },
      { authorization: basic(id, secret) },
    )
  ).status

const actions = async () => (await fullStack.audit()).map(({ action }) => action)

describe('GET, POST /admin/clients', () => {
  test('200: a client with its secret, which is in no other response and not stored', async () => {
    const secret = await create('billing', ['users.read', 'users.read', 'subscriptions.write'])
    expect(await tryToken('billing', secret)).toBe(200)
    const listed = await call('GET', '')
    const text = await listed.text()
    expect(JSON.parse(text)).toEqual({
      items: [
        {
          id: 'billing',
          scopes: ['users.read', 'subscriptions.write'],
          status: 'active',
          created_at: expect.any(String),
          disabled_at: null,
          last_used_at: expect.any(String),
          secret_changed_at: expect.any(String),
          previous_secret_ends_at: null,
          previous_secret_used_at: null,
        },
      ],
      next_cursor: null,
    })
    const [row] = await fullStack.sql`select oauth_clients::text as text from oauth_clients`
    expect(`${text} ${row?.text} ${JSON.stringify(await fullStack.audit())}`).not.toContain(secret)
  })

  test('200: pages by name', async () => {
    for (const id of ['crm', 'abc', 'pages']) await create(id)
    const first = (await (await call('GET', '?limit=2')).json()) as {
      items: ClientResponse[]
      next_cursor: string
    }
    expect(first.items.map(({ id }) => id)).toEqual(['abc', 'crm'])
    const rest = (await (await call('GET', `?limit=2&cursor=${first.next_cursor}`)).json()) as typeof first
    expect(rest.items.map(({ id }) => id)).toEqual(['pages'])
  })

  test('409 name_taken; 422 validation_failed: a name or scopes that do not fit; nothing is created', async () => {
    await create('billing')
    const taken = await call('POST', '', { id: 'billing', scopes: ['users.read'] })
    expect({ status: taken.status, code: (await problem(taken)).code }).toEqual({
      status: 409,
      code: 'name_taken',
    })
    for (const body of [
      { id: 'frontend', scopes: ['users.read'] },
      { id: 'a7f6bd1c-83c8-4a5e-9a3b-0c1d2e3f4a5b', scopes: ['users.read'] },
      { id: 'Billing', scopes: ['users.read'] },
      { id: 'crm', scopes: [] },
      { id: 'crm', scopes: ['admin'] },
      { id: 'crm' },
      { id: 'crm', scopes: ['users.read'], secret: 'mine' },
    ])
      expect((await call('POST', '', body)).status).toBe(422)
    expect(await fullStack.sql`select from oauth_clients`).toHaveLength(1)
  })

  test('403 permission_required: an admin without system.manage; 401: nobody', async () => {
    await create('billing')
    for (const [method, path, body] of [
      ['GET', ''],
      ['GET', '/billing'],
      ['POST', '', { id: 'crm', scopes: ['users.read'] }],
      ['PUT', '/billing/scopes', { scopes: ['users.import'] }],
      ['POST', '/billing/secret', {}],
      ['DELETE', '/billing/secret/previous'],
      ['POST', '/billing/disable'],
      ['DELETE', '/billing'],
    ] as const)
      expect((await call(method, path, body, adminToken)).status).toBe(403)
    expect((await fullStack.call('/admin/clients')).status).toBe(401)
  })

  test('404 not_found: no such client', async () => {
    for (const [method, path, body] of [
      ['GET', '/nobody'],
      ['GET', '/x%00y'],
      ['PUT', '/nobody/scopes', { scopes: ['users.read'] }],
      ['POST', '/nobody/secret', {}],
      ['DELETE', '/nobody/secret/previous'],
      ['POST', '/nobody/disable'],
      ['DELETE', '/nobody'],
    ] as const)
      expect([path, (await call(method, path, body)).status]).toEqual([path, path.includes('%') ? 400 : 404])
  })
})

describe('POST /admin/clients/{id}/secret', () => {
  test('200: both secrets work until the end of the old one, which the audit log and the client tell', async () => {
    const first = await create('billing')
    const { client_secret: second, previous_secret_ends_at: end } = await rotate('billing', {
      overlap_seconds: 3600,
    })
    expect(Date.parse(end ?? '') - Date.now()).toBeGreaterThan(3_590_000)
    expect(await tryToken('billing', second)).toBe(200)
    expect((await read('billing')).previous_secret_used_at).toBeNull()
    expect(await tryToken('billing', first)).toBe(200)
    const { previous_secret_ends_at, previous_secret_used_at } = await read('billing')
    expect(previous_secret_ends_at).toBe(end)
    expect(previous_secret_used_at).not.toBeNull()
    const issued = (await fullStack.audit()).filter(({ action }) => action === 'client.token_issued')
    expect(issued.map(({ details }) => details.secret)).toEqual([undefined, 'previous'])

    await fullStack.sql`update oauth_clients set previous_secret_ends_at = now()`
    expect(await tryToken('billing', first)).toBe(401)
    expect(await tryToken('billing', second)).toBe(200)
    expect((await read('billing')).previous_secret_ends_at).toBeNull()
  })

  test('200: by default the old secret works for a day more', async () => {
    await create('billing')
    const { previous_secret_ends_at: end } = await rotate('billing', {})
    expect(Math.round((Date.parse(end ?? '') - Date.now()) / 3_600_000)).toBe(24)
  })

  test('200: without an overlap the old secret is void at once; a second rotation voids the one before', async () => {
    const first = await create('billing')
    const second = (await rotate('billing', { overlap_seconds: 60 })).client_secret
    const third = (await rotate('billing', { overlap_seconds: 60 })).client_secret
    expect(await Promise.all([first, second, third].map((secret) => tryToken('billing', secret)))).toEqual([
      401, 200, 200,
    ])
    const last = await rotate('billing', { overlap_seconds: 0 })
    expect(last.previous_secret_ends_at).toBeNull()
    expect(await tryToken('billing', third)).toBe(401)
    expect(await tryToken('billing', last.client_secret)).toBe(200)
  })

  test('204: the end of the old secret now; 404 not_found: there is none', async () => {
    const first = await create('billing')
    const { client_secret: second } = await rotate('billing', {})
    expect((await call('DELETE', '/billing/secret/previous')).status).toBe(204)
    expect(await tryToken('billing', first)).toBe(401)
    expect(await tryToken('billing', second)).toBe(200)
    expect((await call('DELETE', '/billing/secret/previous')).status).toBe(404)
    expect(await actions()).toContain('client.previous_secret_ended')
  })

  test('one of twenty rotations at once is the last: its secret and the one before it work', async () => {
    await create('billing')
    const secrets = await Promise.all(Array.from({ length: 20 }, () => rotate('billing', {})))
    const statuses = await Promise.all(secrets.map(({ client_secret }) => tryToken('billing', client_secret)))
    expect(statuses.filter((status) => status === 200)).toHaveLength(2)
  })

  test('409 client_disabled; 422 validation_failed: an overlap out of range', async () => {
    await create('billing')
    for (const overlap_seconds of [-1, 1.5, 30 * 86_400 + 1, '60'])
      expect((await call('POST', '/billing/secret', { overlap_seconds })).status).toBe(422)
    await call('POST', '/billing/disable')
    const rejected = await call('POST', '/billing/secret', {})
    expect({ status: rejected.status, code: (await problem(rejected)).code }).toEqual({
      status: 409,
      code: 'client_disabled',
    })
  })
})

describe('scopes, disable, delete', () => {
  test('200: new tokens have the new scopes', async () => {
    const secret = await create('billing')
    const answer = await call('PUT', '/billing/scopes', { scopes: ['tokens.introspect'] })
    expect(((await answer.json()) as ClientResponse).scopes).toEqual(['tokens.introspect'])
    const issued = await fullStack.postForm(
      '/oauth/token',
      { grant_type: 'client_credentials' },
      { authorization: basic('billing', secret) },
    )
    expect(await issued.json()).toMatchObject({ scope: 'tokens.introspect' })
  })

  test('204: a disabled or deleted client gets no token; its name is free after that', async () => {
    const secret = await create('billing')
    for (let times = 0; times < 2; times++) expect((await call('POST', '/billing/disable')).status).toBe(204)
    expect(await tryToken('billing', secret)).toBe(401)
    expect((await read('billing')).status).toBe('disabled')
    expect((await call('DELETE', '/billing')).status).toBe(204)
    expect(await tryToken('billing', await create('billing'))).toBe(200)
  })

  test('each change leaves an audit row with who made it', async () => {
    await create('billing')
    await call('PUT', '/billing/scopes', { scopes: ['users.import'] })
    await rotate('billing', {})
    await call('DELETE', '/billing/secret/previous')
    await call('POST', '/billing/disable')
    await call('DELETE', '/billing')
    const rows = await fullStack.sql`
      select action, details, account.email as by from audit_logs
      join user_accounts account on account.id = actor_id order by audit_logs.id`
    const by = 'superadmin@example.com'
    const about = { client_id: 'billing' }
    expect(rows).toEqual([
      { action: 'client.created', details: { ...about, scope: 'users.read' }, by },
      {
        action: 'client.scopes_changed',
        details: { ...about, before: 'users.read', after: 'users.import' },
        by,
      },
      {
        action: 'client.secret_rotated',
        details: { ...about, previous_secret_ends_at: expect.any(String) },
        by,
      },
      { action: 'client.previous_secret_ended', details: about, by },
      { action: 'client.disabled', details: about, by },
      { action: 'client.deleted', details: about, by },
    ])
  })
})
