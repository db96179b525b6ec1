import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { demoAccounts, seedDemoAccounts } from '../../dev/demo.ts'
import { describeApi } from '../../gateway/openapi/document.ts'
import { routes } from '../../gateway/routes.ts'
import { createClient } from '../../origin/oauth/clients/clients.ts'
import { createPasswordHasher } from '../../origin/passwords/hasher.ts'
import { createWorkerPool } from '../../origin/passwords/worker-pool.ts'
import type { TokenResponse } from '../../shared/contract.ts'
import { demoRows } from '../support/demo-policy.ts'
import { bearer, createFullStack, type FullStack } from '../support/full-stack/full-stack.ts'
import { basic, operator } from '../support/full-stack/oauth-full-stack.ts'
import { createOpenApiValidator } from '../support/full-stack/openapi-validator.ts'
import { highLimits } from '../support/high-limits.ts'

const password = 'correct horse battery'
const limit = 150

const openApiValidator = createOpenApiValidator(
  describeApi({ rows: routes, fileRows: demoRows, version: '0' }),
)
let fullStack: FullStack
/** Access tokens by role. */
const tokens = new Map<string, string>()
const ids = new Map<string, string>()
/** Operations that have answered with success. */
const succeeded = new Set<string>()

beforeAll(async () => {
  fullStack = await createFullStack({ environment: { ...highLimits, LIMIT_ADDRESS_REQUESTS: `${limit}` } })
  const pool = createWorkerPool({ threads: 1, queue: 1 })
  const passwords = await createPasswordHasher({
    pool,
    digestKey: fullStack.originConfig.PASSWORD_DIGEST_KEY,
    cost: fullStack.originConfig.PASSWORD_HASH_COST,
  })
  await seedDemoAccounts(fullStack.sql, passwords, password)
  await pool.close()
  for (const { email, role } of demoAccounts) {
    tokens.set(role, (await fullStack.login(email, password)).access_token)
    const [row] = await fullStack.sql<[{ id: string }]>`select id from user_accounts where email = ${email}`
    ids.set(role, row.id)
  }
})
afterAll(() => fullStack.close())

interface Asking {
  /** Name of the account whose access token the request has. */
  as?: string
  parameters?: Record<string, string>
  query?: Record<string, string>
  json?: unknown
  form?: Record<string, string>
  headers?: Record<string, string>
  address?: string
}

/** Asks the gateway, holds the answer against the description, and gives it back as it was. */
async function ask(status: number, method: string, path: string, asking: Asking = {}): Promise<Response> {
  const { as, parameters = {}, query, json, form, headers = {}, address = '198.51.100.1' } = asking
  const filled = path.replaceAll(
    /\{([a-z_]+)\}/g,
    (_, name: string) => parameters[name] ?? crypto.randomUUID(),
  )
  const token = as === undefined ? undefined : tokens.get(as)
  const answer = await fullStack.call(query ? `${filled}?${new URLSearchParams(query)}` : filled, {
    method,
    address,
    headers: {
      ...(token && bearer(token)),
      ...(json !== undefined && { 'content-type': 'application/json' }),
      ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
      ...headers,
    },
    body: json === undefined ? (form ? new URLSearchParams(form).toString() : null) : JSON.stringify(json),
  })
  const text = answer.status === 204 ? null : await answer.clone().text()
  expect({ status: answer.status, text }).toMatchObject({ status })
  expect(await openApiValidator.faults(method, path, answer.clone())).toEqual([])
  if (answer.ok) succeeded.add(`${method} ${path}`)
  return answer
}

const read = (path: string, asking: Asking = {}) => ask(200, 'GET', path, asking)
const items = async (answer: Response) => ((await answer.json()) as { items: unknown[] }).items

describe('answers are as the description has them', () => {
  const email = 'ada@example.com'

  test('of an account, from its registration to its last logout', async () => {
    const device = { 'user-agent': 'A browser' }
    await ask(202, 'POST', '/auth/register', { json: { email, password, display_name: 'Ada' } })
    await ask(202, 'POST', '/auth/email/resend', { json: { email } })
    await ask(204, 'POST', '/auth/email/verify', {
      json: { token: await fullStack.mailedToken(email), password },
    })
    const login = await ask(200, 'POST', '/auth/login', { json: { email, password }, headers: device })
    const first = (await login.json()) as TokenResponse
    tokens.set('ada', first.access_token)
    await ask(200, 'POST', '/auth/login', {
      json: { email, password, token_delivery: 'cookie' },
      headers: { origin: fullStack.originConfig.ISSUER_URL },
    })
    await read('/v1/me', { as: 'ada' })
    await read('/v1/subscription', { as: 'ada' })
    const sessions = await read('/auth/sessions', { as: 'ada' })
    const other = ((await sessions.json()) as { sessions: { id: string; current: boolean }[] }).sessions.find(
      ({ current }) => !current,
    )
    await ask(204, 'DELETE', '/auth/sessions/{id}', { as: 'ada', parameters: { id: other?.id ?? '' } })
    await ask(204, 'DELETE', '/auth/sessions', { as: 'ada' })
    await ask(204, 'POST', '/auth/password', {
      as: 'ada',
      json: { current_password: password, new_password: 'tundra vowel kiosk' },
    })
    const refreshed = await ask(200, 'POST', '/auth/refresh', {
      json: { refresh_token: first.refresh_token },
    })
    const { refresh_token } = (await refreshed.json()) as TokenResponse
    await ask(204, 'POST', '/auth/logout', { json: { refresh_token, everywhere: true } })
    await ask(202, 'POST', '/auth/password/forgot', { json: { email } })
    await ask(204, 'POST', '/auth/password/reset', {
      json: { token: await fullStack.mailedToken(email), password },
    })
  })

  test('of what anybody may read', async () => {
    for (const path of ['/v1/plans', '/.well-known/jwks.json', '/.well-known/oauth-authorization-server'])
      await read(path)
    for (const path of ['/live', '/ready', '/health']) await read(path)
  })

  test('of OAuth clients', async () => {
    const secret =
      (await createClient(fullStack.sql, { id: 'crm', scopes: ['tokens.introspect'] }, operator)) ?? ''
    const headers = { authorization: basic('crm', secret) }
    const form = { grant_type: 'client_credentials' }
    const answer = await ask(200, 'POST', '/oauth/token', { form, headers })
    const { access_token: token } = (await answer.json()) as { access_token: string }
    await ask(200, 'POST', '/oauth/introspect', { form: { token }, headers })
    await ask(200, 'POST', '/oauth/introspect', { form: { token: 'nothing' }, headers })
    await ask(200, 'POST', '/oauth/introspect', { form: { token: tokens.get('user') ?? '' }, headers })
    const [{ refresh_token: userToken }] = [await fullStack.login('guest@example.com', password)]
    await ask(200, 'POST', '/oauth/introspect', { form: { token: userToken }, headers })
    await ask(200, 'POST', '/oauth/revoke', { form: { token: userToken, client_id: 'frontend' } })
    await ask(401, 'POST', '/oauth/token', { form })
    await ask(401, 'POST', '/oauth/token', { form, headers: { authorization: basic('crm', 'wrong') } })
    await ask(400, 'POST', '/oauth/token', { form: { grant_type: 'password' }, headers })
    await ask(415, 'POST', '/oauth/token', { json: form, headers })
  })

  test('of what admins change', async () => {
    const as = 'superadmin'
    const parameters = { id: ids.get('user') ?? '' }
    await ask(204, 'POST', '/admin/users/{id}/lock', { as, parameters, json: { reason: 'a test' } })
    await ask(204, 'POST', '/admin/users/{id}/unlock', { as, parameters })
    await ask(204, 'PUT', '/admin/users/{id}/role', { as, parameters, json: { role: 'subscriber' } })
    await ask(200, 'PUT', '/admin/users/{id}/subscription', { as, parameters, json: { plan: 'pro' } })
    await ask(200, 'PUT', '/admin/users/{id}/subscription', {
      as,
      parameters,
      json: { plan: 'starter', period_ends_at: '2099-01-01T00:00:00+01:00' },
    })
    await ask(200, 'PATCH', '/admin/plans/{name}', {
      as,
      parameters: { name: 'starter' },
      json: { price_cents_per_month: 1000 },
    })
    await ask(200, 'PUT', '/admin/plans/{name}/features', {
      as,
      parameters: { name: 'starter' },
      json: { features: ['basic_dashboard'] },
    })
    await ask(200, 'PUT', '/admin/roles/{name}/permissions', {
      as,
      parameters: { name: 'guest' },
      json: { permissions: ['profile.read'] },
    })
    await ask(202, 'POST', '/admin/upkeep/{job}/runs', { as, parameters: { job: 'expired_tokens' } })

    await fullStack.login('user@example.com', password)
    const sessions = await read('/admin/users/{id}/sessions', { as, parameters })
    const [session] = (await items(sessions)) as { id: string }[]
    await ask(204, 'DELETE', '/admin/users/{id}/sessions/{session_id}', {
      as,
      parameters: { ...parameters, session_id: session?.id ?? '' },
    })
    await ask(204, 'DELETE', '/admin/users/{id}/sessions', { as, parameters })
  })

  test('of every list, with an item in it and a next page', async () => {
    for (let i = 0; i <= limit; i++) await fullStack.call('/v1/plans', { address: '198.51.100.2' })
    await fullStack.reportsFlushed()
    const lists = routes.filter(({ method, path }) => method === 'GET' && /^\/admin\/[a-z-]+$/.test(path))
    expect(lists.length).toBeGreaterThan(9)
    for (const { path } of lists) {
      const page = await read(path, { as: 'superadmin', query: { limit: '1' } })
      expect(await items(page)).toHaveLength(1)
      await read(path, { as: 'superadmin' })
    }
    await read('/admin/users/{id}', { as: 'admin', parameters: { id: ids.get('user') ?? '' } })
  })

  test('of refusals', async () => {
    const bad = { email: 'no address', password: 1, role: 'admin' }
    const parameters = { id: ids.get('superadmin') ?? '' }
    await ask(401, 'GET', '/v1/me')
    await ask(401, 'GET', '/v1/me', { headers: bearer('x.y.z') })
    await ask(403, 'GET', '/admin/users', { as: 'subscriber' })
    await ask(403, 'GET', '/v1/reports', { as: 'guest' })
    await ask(403, 'PUT', '/admin/users/{id}/role', { as: 'admin', parameters, json: { role: 'user' } })
    await ask(404, 'GET', '/admin/users/{id}', { as: 'admin' })
    await ask(400, 'GET', '/admin/users', { as: 'admin', query: { color: 'red', limit: '0' } })
    await ask(400, 'POST', '/auth/email/verify', { json: { token: 'spent', password } })
    await ask(422, 'POST', '/auth/register', { json: bad })
    await ask(422, 'POST', '/auth/register', { json: { email: 'b@example.com', password: 'password1234' } })
    await ask(413, 'POST', '/auth/login', { json: { email, password: 'x'.repeat(70_000) } })
    await ask(415, 'POST', '/auth/login', { headers: { 'content-type': 'text/plain' } })
    await ask(400, 'POST', '/auth/login', { headers: { 'content-type': 'application/json' } })
    await ask(401, 'POST', '/auth/login', { json: { email, password: 'wrong' } })
    await ask(401, 'POST', '/auth/refresh', { json: { refresh_token: 'unknown' } })
    await fullStack.sql.begin(async (elsewhere) => {
      await elsewhere`select pg_advisory_xact_lock(upkeep_lock('login_attempts'))`
      const running = { as: 'superadmin', parameters: { job: 'login_attempts' } }
      await ask(409, 'POST', '/admin/upkeep/{job}/runs', running)
    })
    await ask(429, 'GET', '/v1/plans', { address: '198.51.100.2' })
    await fullStack.heard()
    await ask(401, 'GET', '/v1/me', { as: 'user' })
  })

  test('of a feature that the plan lacks', async () => {
    tokens.set('free', (await fullStack.login(email, password)).access_token)
    await ask(403, 'GET', '/v1/reports', { as: 'free' })
  })

  // Last, as it looks back.
  test('all of this was every row of the policy table', () => {
    const rows = routes.map(({ method, path }) => `${method} ${path}`)
    expect(rows.filter((row) => !succeeded.has(row))).toEqual([])
  })
})
