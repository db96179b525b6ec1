import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { PolicyRow } from '../../gateway/policy/policy.ts'
import { routes } from '../../gateway/routes.ts'
import { raiseUserEpoch } from '../../origin/entitlements/epochs.ts'
import { formatApiKey } from '../../shared/auth/api-key.ts'
import { assertionHeader } from '../../shared/http/headers.ts'
import { createKeyOwner, type KeyOwner } from '../support/full-stack/api-keys.ts'
import { bearer, createFullStack, type FullStack, problem } from '../support/full-stack/full-stack.ts'
import { highLimits } from '../support/high-limits.ts'

const upstreamRow: PolicyRow = {
  method: 'GET',
  path: '/v1/reports',
  upstream: 'reports',
  who: 'user',
  keys: true,
  permissions: { all: ['dashboard.read'] },
  limits: ['user'],
}
/** Takes tokens alone. */
const tokenRow: PolicyRow = { ...upstreamRow, path: '/v1/tokens-only', keys: false }
/** Passes the credentials of its callers on. */
const passingRow: PolicyRow = {
  ...upstreamRow,
  path: '/v1/passing',
  who: 'public',
  keys: false,
  permissions: undefined,
  passes: ['authorization'],
  limits: ['address'],
}
const exchangePath = '/internal/gateway/api-key-tokens'

let now = Date.now
let fullStack: FullStack
let owner: KeyOwner
beforeAll(async () => {
  fullStack = await createFullStack({
    environment: { ...highLimits, LIMIT_ADDRESS_REQUESTS: '30', API_KEYS_PER_USER: '100' },
    policy: [...routes, upstreamRow, tokenRow, passingRow],
    now: () => now(),
  })
  owner = await createKeyOwner(fullStack, 'ada@example.com', 'pro')
})
afterAll(() => fullStack.close())
afterEach(() => {
  now = Date.now
})

const ask = (path: string, headers: Record<string, string>, address?: string) =>
  fullStack.call(path, { headers, ...(address !== undefined && { address }) })

/** Asks a service with a key. */
const use = (key: string, address?: string) => ask('/v1/reports', { 'x-api-key': key }, address)

async function codeOf(response: Promise<Response>) {
  const { status, code } = await problem(await response)
  return `${status} ${code}`
}

/** Calls of the gateway to the origin from now on. */
function exchangesFrom() {
  const before = fullStack.forwarded.length
  return () => fullStack.forwarded.slice(before).filter(({ url }) => url.endsWith(exchangePath)).length
}

/** Makes tokens of a user stale, as each change of the account does. */
async function raiseEpoch({ id }: KeyOwner): Promise<void> {
  await fullStack.sql.begin((sql) => raiseUserEpoch(sql, id))
  await fullStack.syncRevocations()
}

const reportsKey = () => owner.createKey({ permissions: ['dashboard.read', 'profile.read'] })

/** A key that nobody has. */
const unknownKey = () => formatApiKey(crypto.getRandomValues(new Uint8Array(32)))

describe('a request with an API key', () => {
  test('200 in either header: as its owner, with the permissions of the key and its id as session', async () => {
    const { key, id } = await reportsKey()
    for (const headers of [{ 'x-api-key': key }, bearer(key), { authorization: `bearer  ${key}` }]) {
      expect((await ask('/v1/reports', headers)).status).toBe(200)
      const [, payload = ''] = fullStack.forwarded.at(-1)?.headers.get(assertionHeader)?.split('.') ?? []
      const { user } = JSON.parse(Buffer.from(payload, 'base64url').toString())
      expect(user).toMatchObject({
        sub: owner.id,
        sid: id,
        plan: 'pro',
        permissions: ['dashboard.read', 'profile.read'],
      })
    }
    const me = await ask('/v1/me', bearer(key))
    expect(await me.json()).toMatchObject({ id: owner.id, permissions: ['dashboard.read', 'profile.read'] })
  })

  test('403 permission_required: what its owner may do and the key may not', async () => {
    const { key } = await owner.createKey()
    expect(await codeOf(use(key))).toBe('403 permission_required')
    expect((await ask('/v1/me', bearer(key))).status).toBe(200)
  })

  test('403 api_key_not_accepted: on a row without keys, valid or not, and no call for it', async () => {
    const { key } = await reportsKey()
    const exchanges = exchangesFrom()
    for (const path of ['/v1/tokens-only', '/auth/sessions', '/v1/api-keys', '/v1/subscription'])
      for (const headers of [bearer(key), { 'x-api-key': key }, { 'x-api-key': unknownKey() }])
        expect(await codeOf(ask(path, headers))).toBe('403 api_key_not_accepted')
    expect(exchanges()).toBe(0)
  })

  test('it is exchanged once, however many requests come at once, and then costs no call', async () => {
    const { key } = await reportsKey()
    const exchanges = exchangesFrom()
    const responses = await Promise.all(Array.from({ length: 100 }, () => use(key)))
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]))
    for (let i = 0; i < 20; i++) expect((await use(key)).status).toBe(200)
    expect(exchanges()).toBe(1)
  })

  test('neither the key nor the token reaches an upstream, the origin or a log', async () => {
    const { key } = await reportsKey()
    const secret = key.slice(8)
    const before = fullStack.forwarded.length
    const pieces: [string, Record<string, string>][] = [
      ['/v1/reports', { 'x-api-key': key }],
      ['/v1/reports', bearer(key)],
      ['/v1/reports', { 'x-api-key': key, x_api_key: key }],
      ['/v1/reports', { 'x-api-key': `other, ${key}` }],
      ['/v1/reports', { 'x-api-key': key, ...bearer(owner.token) }],
      ['/v1/tokens-only', { 'x-api-key': key, ...bearer(owner.token) }],
      ['/v1/passing', bearer(key)],
      ['/v1/passing', { 'x-api-key': key.toUpperCase() }],
      ['/v1/passing', { 'x-api-key': key, authorization: 'Basic YTpi' }],
    ]
    for (const [path, headers] of pieces) await ask(path, headers)
    const sent = fullStack.forwarded.slice(before)
    expect(sent.filter(({ url }) => url.endsWith('/v1/passing'))).toHaveLength(3)
    for (const request of sent) {
      const head = JSON.stringify([...request.headers])
      expect(head.toLowerCase()).not.toContain(secret.toLowerCase())
      expect(head).not.toContain('x-api-key')
    }
    expect(JSON.stringify(fullStack.logs)).not.toContain(secret)
  })

  test('an X-API-Key of another service goes upstream as it came, with or without a token', async () => {
    for (const headers of [{}, { authorization: 'Basic YTpi' }]) {
      await ask('/v1/passing', { 'x-api-key': 'sk_other_1', ...headers })
      expect(fullStack.forwarded.at(-1)?.headers.get('x-api-key')).toBe('sk_other_1')
    }
    expect(await codeOf(ask('/v1/reports', { 'x-api-key': 'sk_other_1' }))).toBe('401 token_missing')
  })
})

describe('401 invalid_token', () => {
  test('a mistyped key: refused without a call', async () => {
    const { key } = await reportsKey()
    const exchanges = exchangesFrom()
    const typo = key.slice(0, 20) + (key[20] === 'a' ? 'b' : 'a') + key.slice(21)
    for (const wrong of [typo, key.slice(0, -1), `${key}a`, 'gh_live_', `${key}, ${key}`])
      expect(await codeOf(use(wrong, '198.51.100.1'))).toBe('401 invalid_token')
    expect(exchanges()).toBe(0)
  })

  test('two credentials: a key beside a token, a key beside a key', async () => {
    const { key } = await reportsKey()
    for (const other of [owner.token, key])
      expect(await codeOf(ask('/v1/reports', { 'x-api-key': key, ...bearer(other) }))).toBe(
        '401 invalid_token',
      )
  })

  test('an unknown key: remembered, and counted against its address until 429', async () => {
    const address = '198.51.100.7'
    const key = unknownKey()
    const exchanges = exchangesFrom()
    for (let i = 0; i < 30; i++) expect(await codeOf(use(key, address))).toBe('401 invalid_token')
    expect(await codeOf(use(unknownKey(), address))).toBe('429 rate_limited')
    expect(exchanges()).toBe(2)
    const valid = await reportsKey()
    expect((await use(valid.key, address)).status).toBe(200)
  })

  test('an expired key', async () => {
    const { key, id } = await reportsKey()
    await fullStack.sql`update api_keys set expires_at = now() where id = ${id}`
    expect(await codeOf(use(key))).toBe('401 invalid_token')
  })

  test('a token of a key lives no longer than the key', async () => {
    const { key, id } = await reportsKey()
    await fullStack.sql`update api_keys set expires_at = now() + interval '20 seconds' where id = ${id}`
    expect((await use(key)).status).toBe(200)
    await fullStack.sql`update api_keys set expires_at = now() where id = ${id}`
    now = () => Date.now() + 21_000
    expect(await codeOf(use(key))).toBe('401 invalid_token')
  })
})

describe('a key in use', () => {
  test('401 invalid_token within the bound: it was revoked, and no call for its next request', async () => {
    const { key, id } = await reportsKey()
    expect((await use(key)).status).toBe(200)
    expect((await owner.ask('DELETE', `/v1/api-keys/${id}`)).status).toBe(204)
    await fullStack.syncRevocations()
    const exchanges = exchangesFrom()
    expect(await codeOf(use(key))).toBe('401 invalid_token')
    expect(await codeOf(use(key))).toBe('401 invalid_token')
    expect(exchanges()).toBe(0)
  })

  test('401 invalid_token: its owner was disabled; 200 again once enabled, after half a minute', async () => {
    now = () => Date.now() - 15_000
    const bob = await createKeyOwner(fullStack, 'bob@example.com', 'pro')
    const { key } = await bob.createKey({ permissions: ['dashboard.read'] })
    expect((await use(key)).status).toBe(200)
    await fullStack.sql`update user_accounts set status = 'disabled' where id = ${bob.id}`
    await raiseEpoch(bob)
    expect(await codeOf(use(key))).toBe('401 invalid_token')
    await fullStack.sql`update user_accounts set status = 'active' where id = ${bob.id}`
    expect(await codeOf(use(key))).toBe('401 invalid_token')
    now = () => Date.now() + 16_000
    expect((await use(key)).status).toBe(200)
  })

  test('403 permission_required: its owner lost the permission; the key is exchanged again, not 401 claims_stale', async () => {
    const dan = await createKeyOwner(fullStack, 'dan@example.com', 'pro')
    const { key } = await dan.createKey({ permissions: ['dashboard.read'] })
    expect((await use(key)).status).toBe(200)
    async function setRole(role: string) {
      await fullStack.sql`
        update user_accounts set role_id = (select id from roles where name = ${role}) where id = ${dan.id}`
      await raiseEpoch(dan)
    }
    const exchanges = exchangesFrom()
    await setRole('guest')
    const codes = await Promise.all(Array.from({ length: 20 }, () => codeOf(use(key))))
    expect(new Set(codes)).toEqual(new Set(['403 permission_required']))
    expect(exchanges()).toBe(1)
    await setRole('user')
    expect((await use(key)).status).toBe(200)
    expect(exchanges()).toBe(2)
  })

  test('403 feature_required with the plan to book: the plan lapsed; remembered for half a minute', async () => {
    now = () => Date.now() - 15_000
    const cyd = await createKeyOwner(fullStack, 'cyd@example.com', 'starter')
    const setEnd = (interval: string | null) =>
      fullStack.sql`
        update user_subscriptions set period_ends_at = now() + ${interval}::interval where user_id = ${cyd.id}`
    const { key } = await cyd.createKey({ permissions: ['dashboard.read'] })
    await setEnd('10 seconds')
    expect((await use(key)).status).toBe(200)
    await setEnd('0 seconds')
    expect((await use(key)).status).toBe(200)
    now = () => Date.now() + 11_000
    const exchanges = exchangesFrom()
    const refused = await problem(await use(key))
    expect(refused).toMatchObject({ status: 403, code: 'feature_required', minimum_plan: 'starter' })
    expect(refused.upgrade_url).toContain('plan=starter')
    expect(await codeOf(use(key))).toBe('403 feature_required')
    expect(exchanges()).toBe(1)
  })

  test('503 keys_unavailable with Retry-After: the origin is down at the exchange; kept keys go on', async () => {
    const [kept, fresh] = [await reportsKey(), await reportsKey()]
    expect((await use(kept.key)).status).toBe(200)
    const origin = fullStack.upstreams.get(fullStack.gatewayConfig.ORIGIN_URL)
    fullStack.upstreams.delete(fullStack.gatewayConfig.ORIGIN_URL)
    try {
      const refused = await use(fresh.key)
      expect(refused.headers.get('retry-after')).toBe('2')
      expect(await problem(refused)).toMatchObject({ status: 503, code: 'keys_unavailable' })
      expect((await use(kept.key)).status).toBe(200)
    } finally {
      if (origin) fullStack.upstreams.set(fullStack.gatewayConfig.ORIGIN_URL, origin)
    }
    expect((await use(fresh.key)).status).toBe(200)
  })
})

describe('the networks of a key', () => {
  test('403 network_not_allowed: compared at each request, counted, and in the audit log', async () => {
    const { key, id } = await owner.createKey({
      permissions: ['dashboard.read'],
      networks: ['192.0.2.0/24', '2001:db8:1::/48'],
    })
    for (const address of ['192.0.2.9', '2001:db8:1::5', '192.0.2.9'])
      expect((await use(key, address)).status).toBe(200)
    for (const address of ['192.0.3.9', '2001:db8:2::5', '192.0.3.9'])
      expect(await codeOf(use(key, address))).toBe('403 network_not_allowed')
    expect((await use(key, '::ffff:192.0.2.10')).status).toBe(200)
    for (let i = 0; i < 28; i++) expect(await codeOf(use(key, '192.0.3.9'))).toBe('403 network_not_allowed')
    expect(await codeOf(use(key, '192.0.3.9'))).toBe('429 rate_limited')

    await fullStack.reportsFlushed()
    expect(
      await fullStack.sql`select user_id, details from audit_logs where action = 'api_key.network_refused'`,
    ).toEqual([{ user_id: owner.id, details: { key_id: id, count: 32 } }])
  })
})

test('the last use is reported in batches, at most once a minute and key', async () => {
  const { key, id } = await reportsKey()
  const lastUse = async () => {
    const [row] = await fullStack.sql<[{ at: Date | null }]>`
      select last_used_at as at from api_keys where id = ${id}`
    return row.at?.getTime()
  }
  for (let i = 0; i < 10; i++) await use(key)
  expect(await lastUse()).toBeUndefined()
  const before = fullStack.forwarded.length
  await fullStack.reportsFlushed()
  const reports = fullStack.forwarded.slice(before).filter(({ url }) => url.endsWith('/api-key-uses'))
  expect(reports).toHaveLength(1)
  const first = await lastUse()
  expect(Math.abs(Date.now() - (first ?? 0))).toBeLessThan(5000)

  await use(key)
  await fullStack.reportsFlushed()
  expect(await lastUse()).toBe(first)
})

test('401 untrusted_caller: nobody but a gateway exchanges a key', async () => {
  const body = JSON.stringify({ key_hash: 'a'.repeat(43) })
  const headers = { 'content-type': 'application/json', ...bearer(owner.token) }
  const response = await fullStack.originFetch(exchangePath, { method: 'POST', headers, body })
  expect(await codeOf(Promise.resolve(response))).toBe('401 untrusted_caller')
  expect(await codeOf(fullStack.post(exchangePath, { key_hash: 'a' }))).toBe('404 not_found')
})
