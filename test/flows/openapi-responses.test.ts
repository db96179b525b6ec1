import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { demoAccounts, seedDemoAccounts } from '../../dev/demo.ts'
import { describeApi } from '../../gateway/openapi/document.ts'
import { routes } from '../../gateway/routes.ts'
import { createClient } from '../../origin/oauth/clients/clients.ts'
import { createPasswordHasher } from '../../origin/passwords/hasher.ts'
import { createWorkerPool } from '../../origin/passwords/worker-pool.ts'
import { createPublicContract, health, tokenExchangeGrant, tokenTypes } from '../../shared/contract.ts'
import { defineEndpoints, type Endpoint, mergeEndpoints } from '../../shared/endpoint/endpoint.ts'
import { demoRows } from '../support/demo-policy.ts'
import { claimsOf, hmac, insertImported, signJwtParts } from '../support/full-stack/former-system.ts'
import { bearer, createFullStack, type FullStack } from '../support/full-stack/full-stack.ts'
import { basic, operator } from '../support/full-stack/oauth-full-stack.ts'
import { createOpenApiCalls } from '../support/full-stack/openapi-calls.ts'
import { addTotp, totpCodeOf } from '../support/full-stack/second-factor.ts'
import { highLimits } from '../support/high-limits.ts'

const password = 'correct horse battery'
const limit = 150
const former = 'https://old.example.com'
const formerSecret = 'a secret of the former system, 32 bytes and more'

let fullStack: FullStack
/** Access tokens by role. */
const tokens = new Map<string, string>()
const ids = new Map<string, string>()

beforeAll(async () => {
  fullStack = await createFullStack({
    environment: {
      ...highLimits,
      LIMIT_ADDRESS_REQUESTS: `${limit}`,
      LEGACY_ISSUERS: JSON.stringify([
        { issuer: former, algorithm: 'HS256', ends_at: '2999-01-01T00:00:00Z' },
      ]),
      LEGACY_ISSUER_SECRETS: JSON.stringify({ [former]: formerSecret }),
    },
  })
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

/** Of the demo's policy file, which has no contracts. */
const { readReports } = defineEndpoints({
  readReports: {
    method: 'GET',
    path: '/v1/reports',
    summary: 'A report',
    responses: { 200: { description: 'The report.' } },
  },
})
const endpoints = mergeEndpoints([...createPublicContract({ passwordMinLength: 8 }), health])
const description = describeApi({ rows: routes, fileRows: demoRows, version: '0' })

const callsFrom = (address: string) =>
  createOpenApiCalls({ ...endpoints, readReports }, description, (path, init) =>
    fullStack.call(path, { ...init, address }),
  )
const { succeed, fail, untried } = callsFrom('198.51.100.1')

/** With the access token of a role or an account. */
const as = (name: string) => ({ headers: bearer(tokens.get(name) ?? '') })

describe('responses are as the description has them', () => {
  const email = 'ada@example.com'

  test('of an account, from its registration to its last logout', async () => {
    await succeed('register', { body: { email, password, display_name: 'Ada' } })
    await succeed('resendVerification', { body: { email } })
    await succeed('verifyEmail', { body: { token: await fullStack.mailedToken(email), password } })
    const first = await succeed('login', {
      body: { email, password },
      headers: { 'user-agent': 'A browser' },
    })
    if (!('refresh_token' in first)) throw new Error('the refresh token is not in the body')
    tokens.set('ada', first.access_token)
    await succeed('login', {
      body: { email, password, token_delivery: 'cookie' },
      headers: { origin: fullStack.originConfig.ISSUER_URL },
    })
    await succeed('readMe', as('ada'))
    await succeed('changeMe', {
      body: { display_name: null, locale: 'de-at', metadata: { a: [1] } },
      ...as('ada'),
    })
    await succeed('readSubscription', as('ada'))
    await fullStack.reportsFlushed()
    await succeed('readUsage', { query: { days: 7 }, ...as('ada') })
    await succeed('createSignedUrl', { body: { path: '/v1/files/a.pdf' }, ...as('ada') })
    const { sessions } = await succeed('listOwnSessions', as('ada'))
    const other = sessions.find(({ current }) => !current)
    await succeed('endOwnSession', { params: { id: other?.id ?? '' }, ...as('ada') })
    await succeed('endOtherSessions', as('ada'))
    await succeed('changePassword', {
      body: { current_password: password, new_password: 'tundra vowel kiosk' },
      ...as('ada'),
    })
    const next = await succeed('refresh', { body: { refresh_token: first.refresh_token } })
    if (!('refresh_token' in next)) throw new Error('the refresh token is not in the body')
    await succeed('logout', { body: { refresh_token: next.refresh_token, everywhere: true } })
    await succeed('forgotPassword', { body: { email } })
    await succeed('resetPassword', { body: { token: await fullStack.mailedToken(email), password } })
  })

  test('of tokens of a former system', async () => {
    await insertImported(fullStack.sql, 'old-1')
    const tokenOf = (sub: string) =>
      signJwtParts({ alg: 'HS256' }, claimsOf(former, { sub }), hmac(formerSecret))
    const token = tokenOf('old-1')
    await fail(401, 'readMe', { headers: bearer(token) })
    await succeed('exchangeLegacyToken', { body: { legacy_token: token } })
    await fail(401, 'exchangeLegacyToken', { body: { legacy_token: token } })
    const form = (subject: string) =>
      ({
        grant_type: tokenExchangeGrant,
        client_id: 'frontend',
        subject_token: subject,
        subject_token_type: tokenTypes.jwt,
      }) as const
    await succeed('issueToken', { form: form(tokenOf('old-1')) })
    await fail(400, 'issueToken', { form: form(token) })
    const userId = await insertImported(fullStack.sql, 'old-2')
    // A rejection that asks for a factor reads no secret.
    await fullStack.sql`insert into totp_secrets (user_id, encrypted_secret) values (${userId}, '')`
    await fail(403, 'exchangeLegacyToken', { body: { legacy_token: tokenOf('old-2') } })
    await fail(400, 'issueToken', { form: form(tokenOf('old-2')) })
  })

  test('of second factors, from the first code to their reset by an administrator', async () => {
    const address = 'factor@example.com'
    await succeed('register', { body: { email: address, password } })
    const { access_token: first } = await fullStack.login(address, password)
    await succeed('stepUp', { body: { factor: 'password', password }, headers: bearer(first) })
    const { secret } = await succeed('enrolTotp', { headers: bearer(first) })
    const confirmed = await succeed('confirmTotp', {
      body: { code: totpCodeOf(secret) },
      headers: bearer(first),
    })
    const headers = bearer(confirmed.access_token)
    await succeed('readFactors', { headers })
    const { recovery_codes } = await succeed('createRecoveryCodes', { headers })
    const { mfa_token } = (await (
      await fullStack.post('/auth/login', { email: address, password })
    ).json()) as { mfa_token: string }
    const code = recovery_codes[0] ?? ''
    await fail(403, 'login', { body: { email: address, password } })
    await fail(403, 'loginWithFactor', { body: { mfa_token, factor: 'recovery_code', code: 'not a code' } })
    await succeed('loginWithFactor', { body: { mfa_token, factor: 'recovery_code', code } })
    await fail(401, 'loginWithFactor', { body: { mfa_token, factor: 'recovery_code', code } })
    await succeed('removeTotp', { headers })
    const params = { id: ids.get('user') ?? '' }
    const admin = tokens.get('superadmin') ?? ''
    await fail(401, 'resetFactors', { params, headers: bearer(admin) })
    const { accessToken } = await addTotp(fullStack, admin)
    await succeed('resetFactors', { params, headers: bearer(accessToken) })
    tokens.set('superadmin', accessToken)
  })

  test('of what anybody may read', async () => {
    for (const id of [
      'listPlans',
      'readKeys',
      'readAssertionKeys',
      'readMetadata',
      'readLive',
      'readReady',
      'readHealth',
    ] as const)
      await succeed(id, {})
  })

  test('of OAuth clients', async () => {
    const by = { actorId: null, context: operator }
    const issued = await createClient(fullStack.sql, { id: 'crm', scopes: ['tokens.introspect'] }, by)
    const secret = issued?.secret ?? ''
    const headers = { authorization: basic('crm', secret) }
    const form = { grant_type: 'client_credentials' } as const
    const { access_token: token } = await succeed('issueToken', { form, headers })
    const { refresh_token: userToken } = await fullStack.login('guest@example.com', password)
    for (const known of [token, 'nothing', tokens.get('user') ?? '', userToken])
      await succeed('introspectToken', { form: { token: known }, headers })
    await succeed('revokeToken', { form: { token: userToken, client_id: 'frontend' } })
    await fail(401, 'issueToken', { form })
    await fail(401, 'issueToken', { form, headers: { authorization: basic('crm', 'wrong') } })
    await fail(400, 'issueToken', { form: { grant_type: 'password' as never }, headers })
    await fail(415, 'issueToken', { form, headers: { ...headers, 'content-type': 'application/json' } })
  })

  test('of what admins change', async () => {
    const headers = bearer(tokens.get('superadmin') ?? '')
    const params = { id: ids.get('user') ?? '' }
    await succeed('setUserMetadata', { params, body: { product_metadata: { vip: true } }, headers })
    await succeed('readUserMetadata', { params, headers })
    await succeed('lockUser', { params, body: { reason: 'a test' }, headers })
    await succeed('unlockUser', { params, headers })
    await succeed('changeRole', { params, body: { role: 'subscriber' }, headers })
    await succeed('bookSubscription', { params, body: { plan: 'pro' }, headers })
    const until = { plan: 'starter', period_ends_at: '2099-01-01T00:00:00+01:00' }
    await succeed('bookSubscription', { params, body: until, headers })
    const plan = { name: 'starter' }
    await succeed('changePlan', { params: plan, body: { price_cents_per_month: 1000 }, headers })
    await succeed('setPlanFeatures', { params: plan, body: { features: ['basic_dashboard'] }, headers })
    await succeed('setRolePermissions', {
      params: { name: 'guest' },
      body: { permissions: ['profile.read'] },
      headers,
    })
    const role = { name: 'editor' }
    await succeed('createRole', {
      body: { ...role, level: 20, description: 'Edits', permissions: ['profile.read'] },
      headers,
    })
    await succeed('updateRole', { params: role, body: { level: 30 }, headers })
    await succeed('deleteRole', { params: role, headers })
    const permission = { name: 'orders.read', description: 'See orders' }
    await succeed('createPermission', { body: permission, headers })
    const orders = { name: 'orders.read' }
    await succeed('updatePermission', { params: orders, body: { description: 'Orders' }, headers })
    await succeed('deletePermission', { params: orders, headers })
    await succeed('createFeature', { body: { name: 'chat', description: 'Chat' }, headers })
    await succeed('updateFeature', { params: { name: 'chat' }, body: { description: 'A chat' }, headers })
    await fail(409, 'deleteFeature', { params: { name: 'webhooks' }, headers })
    await succeed('deleteFeature', { params: { name: 'chat' }, headers })
    const team = {
      name: 'team',
      title: 'Team',
      price_cents_per_month: 1,
      api_quota_per_hour: 60,
      features: [],
    }
    await succeed('createPlan', { body: team, headers })
    await fail(409, 'createPlan', { body: team, headers })
    await succeed('deletePlan', { params: { name: 'team' }, headers })
    await succeed('changeQuota', { params: { plan: 'starter' }, body: { api_quota_per_hour: 5000 }, headers })
    await succeed('startUpkeep', { params: { job: 'expired_tokens' }, headers })
    const client = { id: 'billing' }
    await succeed('createClient', { body: { ...client, scopes: ['users.read'] }, headers })
    await fail(409, 'createClient', { body: { ...client, scopes: ['users.read'] }, headers })
    await succeed('rotateClientSecret', { params: client, body: { overlap_seconds: 60 }, headers })
    await succeed('readClient', { params: client, headers })
    await succeed('endPreviousSecret', { params: client, headers })
    await succeed('setClientScopes', { params: client, body: { scopes: ['users.import'] }, headers })
    await succeed('disableClient', { params: client, headers })
    await fail(409, 'rotateClientSecret', { params: client, body: {}, headers })
    await succeed('deleteClient', { params: client, headers })

    await fullStack.login('user@example.com', password)
    const { items } = await succeed('listSessions', { params, headers })
    await succeed('endSession', { params: { ...params, session_id: items[0]?.id ?? '' }, headers })
    await succeed('endSessions', { params, headers })
  })

  test('of API keys', async () => {
    const body = { name: 'ci', permissions: ['profile.read'], networks: ['192.0.2.0/24'] }
    const { id, key } = await succeed('createApiKey', { body, ...as('subscriber') })
    await fail(403, 'readMe', { headers: bearer(key) })
    await fail(401, 'readMe', { headers: { 'x-api-key': `${key}0` } })
    await fail(403, 'listApiKeys', { headers: bearer(key) })
    await fail(403, 'createApiKey', { body, ...as('guest') })
    await succeed('listApiKeys', as('subscriber'))
    await succeed('revokeApiKey', { params: { id }, ...as('subscriber') })
    await fail(404, 'revokeApiKey', { params: { id }, ...as('subscriber') })
    await succeed('revokeApiKeys', as('subscriber'))

    const { id: another } = await succeed('createApiKey', { body, ...as('subscriber') })
    const params = { id: ids.get('subscriber') ?? '' }
    await succeed('listUserApiKeys', { params, ...as('superadmin') })
    await succeed('revokeUserApiKey', { params: { ...params, key_id: another }, ...as('superadmin') })
    await succeed('revokeUserApiKeys', { params, ...as('superadmin') })
  })

  test('of every list, with an item in it and a next page', async () => {
    for (let i = 0; i <= limit; i++) await fullStack.call('/v1/plans', { address: '198.51.100.2' })
    await fullStack.reportsFlushed()
    const isList = ({ path, query = {} }: Endpoint) => 'cursor' in query && !path.includes('{')
    const lists = Object.entries<Endpoint>(endpoints).filter(([, endpoint]) => isList(endpoint))
    expect(lists.length).toBeGreaterThan(9)
    for (const [id] of lists) {
      const list = id as 'listUsers'
      const page = await succeed(list, { query: { limit: 1 }, ...as('superadmin') })
      expect(page.items).toHaveLength(1)
      await succeed(list, as('superadmin'))
    }
    await succeed('readUser', { params: { id: ids.get('user') ?? '' }, ...as('admin') })
  })

  test('of errors', async () => {
    const bad = { email: 'no address', password: 1, role: 'admin' }
    const params = { id: ids.get('superadmin') ?? '' }
    await fail(401, 'readMe', {})
    await fail(401, 'readMe', { headers: bearer('x.y.z') })
    await fail(403, 'listUsers', as('subscriber'))
    await fail(403, 'readReports', as('guest'))
    await fail(403, 'changeRole', { params, body: { role: 'user' }, ...as('admin') })
    await fail(404, 'readUser', { params: { id: crypto.randomUUID() }, ...as('admin') })
    await fail(400, 'listUsers', { query: { color: 'red', limit: '0' } as never, ...as('admin') })
    await fail(400, 'verifyEmail', { body: { token: 'spent', password } })
    await fail(422, 'register', { body: bad as never })
    await fail(422, 'register', { body: { email: 'b@example.com', password: 'password1234' } })
    await fail(413, 'login', { body: { email, password: 'x'.repeat(70_000) } })
    await fail(415, 'login', { body: { email, password }, headers: { 'content-type': 'text/plain' } })
    await fail(400, 'login', { headers: { 'content-type': 'application/json' } } as never)
    await fail(401, 'login', { body: { email, password: 'wrong' } })
    await fail(401, 'refresh', { body: { refresh_token: 'unknown' } })
    await fullStack.sql.begin(async (elsewhere) => {
      await elsewhere`select pg_advisory_xact_lock(upkeep_lock('login_attempts'))`
      await fail(409, 'startUpkeep', { params: { job: 'login_attempts' }, ...as('superadmin') })
    })
    await callsFrom('198.51.100.2').fail(429, 'listPlans', {})
    await fullStack.syncRevocations()
    await fail(401, 'readMe', as('user'))
  })

  test('of a feature that the plan lacks', async () => {
    tokens.set('free', (await fullStack.login(email, password)).access_token)
    await fail(403, 'readReports', as('free'))
  })

  // Last, as it looks back.
  test('all of this was every endpoint', () => {
    expect(untried()).toEqual(['readReports'])
  })
})
