import { createHash } from 'node:crypto'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { apiKeyPattern, isApiKey } from '../../shared/auth/api-key.ts'
import type { ApiKeyItem } from '../../shared/contract.ts'
import { createKeyOwner, type KeyOwner } from '../../test/support/full-stack/api-keys.ts'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'
import { evaluateNewKey, grantedPermissions } from './rules.ts'

const perUser = 3

let fullStack: FullStack
let owner: KeyOwner
let other: KeyOwner
let admin: string
beforeAll(async () => {
  fullStack = await createFullStack({
    environment: { ...highLimits, API_KEYS_PER_USER: `${perUser}`, API_KEY_DAYS: '30' },
  })
  owner = await createKeyOwner(fullStack, 'ada@example.com')
  other = await createKeyOwner(fullStack, 'bob@example.com')
  await fullStack.signUp('root@example.com')
  await fullStack.sql`
    update user_accounts set role_id = (select id from roles where name = 'superadmin')
    where email = 'root@example.com'`
  admin = (await fullStack.login('root@example.com', 'correct horse battery')).access_token
})
afterAll(() => fullStack.close())
beforeEach(() => fullStack.sql`truncate api_keys, audit_logs, revocations`)

async function listOf(by: KeyOwner): Promise<ApiKeyItem[]> {
  const response = await by.ask('GET', '/v1/api-keys')
  expect(response.status).toBe(200)
  return ((await response.json()) as { api_keys: ApiKeyItem[] }).api_keys
}

const revokedSubjects = async () =>
  (await fullStack.sql`select subject from revocations where scope = 'session'`).map(({ subject }) => subject)

const auditRows = (action: string) =>
  fullStack.sql<{ actorId: string | null; userId: string; details: Record<string, unknown> }[]>`
    select actor_id as "actorId", user_id as "userId", details from audit_logs where action = ${action}`

describe('POST /v1/api-keys', () => {
  test('200: the key once, of which only the SHA-256 is stored; an audit row and a mail without it', async () => {
    const response = await owner.create({
      name: 'Nightly export',
      permissions: ['profile.read', 'dashboard.read', 'profile.read'],
      networks: ['192.0.2.0/24', '2001:db8::/32'],
      expires_at: new Date(Date.now() + 86_400_000).toISOString(),
    })
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('no-store')
    const { key, ...item } = (await response.json()) as ApiKeyItem & { key: string }
    expect(key).toMatch(apiKeyPattern)
    expect(isApiKey(key)).toBe(true)
    expect(item).toMatchObject({
      name: 'Nightly export',
      hint: key.slice(0, 12),
      permissions: ['dashboard.read', 'profile.read'],
      networks: ['192.0.2.0/24', '2001:db8::/32'],
      last_used_at: null,
    })
    expect(await listOf(owner)).toEqual([item])

    const [row] = await fullStack.sql<{ hash: string; all: string }[]>`
      select encode(key_hash, 'hex') as hash, to_jsonb(api_keys)::text as all from api_keys`
    expect(row?.hash).toBe(createHash('sha256').update(key).digest('hex'))
    expect(row?.all).not.toContain(key.slice(12))

    expect(await auditRows('api_key.created')).toMatchObject([
      { actorId: owner.id, userId: owner.id, details: { key_id: item.id, permissions: item.permissions } },
    ])
    const mails = await fullStack.mails(owner.email)
    expect(mails.at(-1)?.subject).toContain('API key')
    expect(JSON.stringify([mails, await auditRows('api_key.created'), fullStack.logs])).not.toContain(
      key.slice(12),
    )
  })

  test('200: without expires_at it lives as long as it may', async () => {
    const { expires_at: expiresAt } = await owner.createKey()
    const days = (Date.parse(expiresAt) - Date.now()) / 86_400_000
    expect(days).toBeGreaterThan(29.99)
    expect(days).toBeLessThanOrEqual(30.01)
  })

  test('403 feature_required: the plan has no api_access, also where the token still says so', async () => {
    const { tokens } = await fullStack.signUp('cyd@example.com')
    const body = { name: 'a', permissions: [] }
    const free = await fullStack.post('/v1/api-keys', body, { headers: bearer(tokens.access_token) })
    expect(free.status).toBe(403)
    expect(await problem(free)).toMatchObject({ code: 'feature_required', required_feature: 'api_access' })

    await other.book('free')
    const stale = await other.create(body)
    await other.book('starter')
    expect(stale.status).toBe(403)
    expect(await problem(stale)).toMatchObject({ code: 'feature_required', current_plan: 'free' })
    expect(await listOf(other)).toEqual([])
  })

  test('403 permission_required: a permission that the owner does not have, named', async () => {
    const response = await owner.create({ name: 'a', permissions: ['profile.read', 'users.manage'] })
    expect(response.status).toBe(403)
    expect(await problem(response)).toMatchObject({
      code: 'permission_required',
      required_permissions: { all: ['users.manage'] },
    })
    expect(await listOf(owner)).toEqual([])
  })

  test('409 too_many_api_keys: one beyond the bound, also of ten at once; expired and revoked ones do not count', async () => {
    const kept = await owner.createKey()
    await fullStack.sql`update api_keys set expires_at = now() - interval '1 second' where id = ${kept.id}`
    const statuses = await Promise.all(
      Array.from({ length: 10 }, async () => (await owner.create({ name: 'b', permissions: [] })).status),
    )
    expect(statuses.filter((status) => status === 200)).toHaveLength(perUser)
    expect(statuses.filter((status) => status === 409)).toHaveLength(10 - perUser)
    const [first] = await listOf(owner)
    await owner.ask('DELETE', `/v1/api-keys/${first?.id}`)
    expect((await owner.create({ name: 'c', permissions: [] })).status).toBe(200)
    const refused = await owner.create({ name: 'd', permissions: [] })
    expect(await problem(refused)).toMatchObject({ status: 409, code: 'too_many_api_keys', limit: perUser })
  })

  test.each([
    ['a name of a line break', { name: 'a\nb' }, '/name'],
    ['no name', { name: undefined }, '/name'],
    ['a network that is none', { networks: ['10.0.0.0/33'] }, '/networks/0'],
    ['an IPv4 network in the form of IPv6', { networks: ['::ffff:10.0.0.0/104'] }, '/networks/0'],
    ['a time in the past', { expires_at: '2020-01-01T00:00:00Z' }, '/expires_at'],
    ['a time beyond API_KEY_DAYS', { expires_at: '2999-01-01T00:00:00Z' }, '/expires_at'],
    ['a key of its own', { key: 'gh_live_mine' }, '/key'],
  ])('422 validation_failed: %s', async (_, change, pointer) => {
    const response = await owner.create({ name: 'a', permissions: [], ...change })
    expect(response.status).toBe(422)
    expect((await problem(response)).errors?.map((error) => error.pointer)).toEqual([pointer])
  })
})

describe('DELETE /v1/api-keys', () => {
  test('204: the key is no longer listed, its tokens are revoked, one audit row', async () => {
    const [kept, gone] = [await owner.createKey(), await owner.createKey()]
    expect((await owner.ask('DELETE', `/v1/api-keys/${gone.id}`)).status).toBe(204)
    expect((await listOf(owner)).map(({ id }) => id)).toEqual([kept.id])
    expect(await revokedSubjects()).toEqual([gone.id])
    expect(await auditRows('api_key.revoked')).toMatchObject([
      { actorId: owner.id, userId: owner.id, details: { key_ids: [gone.id] } },
    ])
  })

  test('204: all of them, and none of others', async () => {
    const keys = [await owner.createKey(), await owner.createKey()]
    const theirs = await other.createKey()
    expect((await owner.ask('DELETE', '/v1/api-keys')).status).toBe(204)
    expect(await listOf(owner)).toEqual([])
    expect((await revokedSubjects()).sort()).toEqual(keys.map(({ id }) => id).sort())
    expect((await listOf(other)).map(({ id }) => id)).toEqual([theirs.id])
  })

  test('404 not_found: a key of another user, a revoked one and an unknown one', async () => {
    const theirs = await other.createKey()
    const revoked = await owner.createKey()
    await owner.ask('DELETE', `/v1/api-keys/${revoked.id}`)
    for (const id of [theirs.id, revoked.id, crypto.randomUUID(), 'none'])
      expect((await owner.ask('DELETE', `/v1/api-keys/${id}`)).status).toBe(404)
    expect(await listOf(other)).toHaveLength(1)
  })

  test('sessions end and passwords change without it: keys stay', async () => {
    const user = await createKeyOwner(fullStack, 'dan@example.com')
    await user.createKey()
    const again = await fullStack.login(user.email, user.password)
    await fullStack.post('/auth/logout', { refresh_token: again.refresh_token, everywhere: true })
    const { access_token: token } = await fullStack.login(user.email, user.password)
    const next = 'another correct horse'
    const changed = await fullStack.post(
      '/auth/password',
      { current_password: user.password, new_password: next },
      { headers: bearer(token) },
    )
    expect(changed.status).toBeLessThan(300)
    const [row] = await fullStack.sql<[{ count: number }]>`
      select count(*)::int as count from api_keys where user_id = ${user.id} and revoked_at is null`
    expect(row.count).toBe(1)
  })
})

describe('an admin', () => {
  const asAdmin = (method: string, path: string, token = admin) =>
    fullStack.call(`/admin/users/${path}`, { method, headers: bearer(token) })

  test('200: lists the keys of an account; 404 for no account', async () => {
    const { key, ...item } = await owner.createKey()
    const response = await asAdmin('GET', `${owner.id}/api-keys`)
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ api_keys: [item] })
    expect((await asAdmin('GET', `${crypto.randomUUID()}/api-keys`)).status).toBe(404)
  })

  test('204: revokes one or all, named in the audit row; 404 for a key of another account', async () => {
    const [first, second] = [await owner.createKey(), await owner.createKey()]
    expect((await asAdmin('DELETE', `${other.id}/api-keys/${first.id}`)).status).toBe(404)
    expect((await asAdmin('DELETE', `${owner.id}/api-keys/${first.id}`)).status).toBe(204)
    expect((await asAdmin('DELETE', `${owner.id}/api-keys`)).status).toBe(204)
    expect(await revokedSubjects()).toEqual([first.id, second.id])
    const actor = String(decodeJwt(admin).sub)
    expect(await auditRows('api_key.revoked')).toMatchObject([
      { actorId: actor, userId: owner.id, details: { key_ids: [first.id] } },
      { actorId: actor, userId: owner.id, details: { key_ids: [second.id] } },
    ])
  })

  test('403 escalation_refused: keys of an account at or above the own level stay', async () => {
    const self = String(decodeJwt(admin).sub)
    const response = await asAdmin('DELETE', `${self}/api-keys`)
    expect(response.status).toBe(403)
    expect(await problem(response)).toMatchObject({ code: 'escalation_refused' })
  })

  test('403 permission_required: users see the keys of nobody else', async () => {
    expect((await asAdmin('GET', `${owner.id}/api-keys`, other.token)).status).toBe(403)
  })
})

test('upkeep deletes keys 30 days after they expired or were revoked, and no others', async () => {
  const [live, expired, revoked] = [await owner.createKey(), await owner.createKey(), await owner.createKey()]
  await fullStack.sql`update api_keys set expires_at = now() - interval '31 days' where id = ${expired.id}`
  await fullStack.sql`update api_keys set revoked_at = now() - interval '31 days' where id = ${revoked.id}`
  await fullStack.sql`select upkeep_batch('expired_tokens', null)`
  expect((await fullStack.sql`select id from api_keys`).map(({ id }) => id)).toEqual([live.id])
})

test('the rights of a key are what key and owner both have', () => {
  const has = { permissions: ['a.read', 'b.read'], features: ['api_access'], plan: 'pro' }
  expect(grantedPermissions(['b.read', 'c.read'], has)).toEqual(['b.read'])
  const at = { now: new Date(0), maxDays: 1 }
  expect(evaluateNewKey({ permissions: [], expiresAt: new Date(0) }, has, at).kind).toBe('expires_too_early')
  expect(evaluateNewKey({ permissions: [], expiresAt: new Date(86_400_000) }, has, at).kind).toBe('allowed')
  expect(evaluateNewKey({ permissions: [], expiresAt: new Date(86_400_001) }, has, at).kind).toBe(
    'expires_too_late',
  )
})
