import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { demoAccounts, seedDemoAccounts } from '../../dev/demo.ts'
import { compileRow } from '../../gateway/policy/policy.ts'
import { routes } from '../../gateway/routes.ts'
import { createPasswordHasher } from '../../origin/passwords/hasher.ts'
import { createWorkerPool } from '../../origin/passwords/worker-pool.ts'
import type { PublicEndpointKey } from '../../shared/contract.ts'
import { demoRows } from '../support/demo-policy.ts'
import { bearer, createFullStack, problem } from '../support/full-stack/full-stack.ts'
import { createGatewayHarness, type GatewayHarness } from '../support/gateway/gateway-harness.ts'
import { highLimits } from '../support/high-limits.ts'

/**
 * The callers that each row admits, written by hand: an endpoint that is not here does not compile,
 * and one whose rights were changed without this page fails. `anonymous` is a caller without a
 * token; the others are the demo accounts, one a role, with the claims that a real login gives
 * them: guest and user on Free, subscriber on Pro, admin on Business, superadmin on Enterprise.
 */
const anybody = ['anonymous', 'guest', 'user', 'subscriber', 'admin', 'superadmin']
const signedIn = ['guest', 'user', 'subscriber', 'admin', 'superadmin']
const admins = ['admin', 'superadmin']
const superadmin = ['superadmin']

const allowed: Record<PublicEndpointKey | 'GET /v1/reports', readonly string[]> = {
  'POST /auth/register': anybody,
  'POST /auth/login': anybody,
  'POST /auth/login/factor': anybody,
  'POST /auth/refresh': anybody,
  'POST /auth/logout': anybody,
  'POST /auth/exchange': anybody,
  'POST /auth/password/forgot': anybody,
  'POST /auth/password/reset': anybody,
  'POST /auth/email/verify': anybody,
  'POST /auth/email/resend': anybody,
  'POST /auth/password': signedIn,
  'POST /auth/step-up': signedIn,
  'GET /auth/factors': signedIn,
  'POST /auth/factors/totp': signedIn,
  'POST /auth/factors/totp/confirm': signedIn,
  'DELETE /auth/factors/totp': signedIn,
  'POST /auth/factors/recovery-codes': signedIn,
  'GET /auth/sessions': signedIn,
  'DELETE /auth/sessions': signedIn,
  'DELETE /auth/sessions/{id}': signedIn,

  'POST /oauth/token': anybody,
  'POST /oauth/introspect': anybody,
  'POST /oauth/revoke': anybody,
  'GET /.well-known/jwks.json': anybody,
  'GET /.well-known/gatehouse-assertion-keys.json': anybody,
  'GET /.well-known/oauth-authorization-server': anybody,

  'GET /v1/me': signedIn,
  'GET /v1/usage': signedIn,
  'PATCH /v1/me': ['user', 'subscriber', 'admin', 'superadmin'],
  'POST /v1/signed-urls': signedIn,
  'GET /v1/api-keys': signedIn,
  // Free does not have api_access.
  'POST /v1/api-keys': ['subscriber', 'admin', 'superadmin'],
  'DELETE /v1/api-keys': signedIn,
  'DELETE /v1/api-keys/{id}': signedIn,
  'GET /v1/plans': anybody,
  'GET /v1/subscription': signedIn,
  // Free does not have premium_dashboard, guest not even dashboard.read.
  'GET /v1/reports': ['subscriber', 'admin', 'superadmin'],

  'GET /admin/users': admins,
  'GET /admin/usage-days': admins,
  'GET /admin/users/{id}': admins,
  'PUT /admin/users/{id}/role': admins,
  'GET /admin/users/{id}/metadata': admins,
  'PUT /admin/users/{id}/metadata': admins,
  'POST /admin/users/{id}/lock': admins,
  'POST /admin/users/{id}/unlock': admins,
  'DELETE /admin/users/{id}/factors': admins,
  'GET /admin/users/{id}/sessions': admins,
  'DELETE /admin/users/{id}/sessions': admins,
  'DELETE /admin/users/{id}/sessions/{session_id}': admins,
  'GET /admin/users/{id}/api-keys': admins,
  'DELETE /admin/users/{id}/api-keys': admins,
  'DELETE /admin/users/{id}/api-keys/{key_id}': admins,
  'PUT /admin/users/{id}/subscription': admins,
  'GET /admin/roles': admins,
  'POST /admin/roles': superadmin,
  'PATCH /admin/roles/{name}': superadmin,
  'DELETE /admin/roles/{name}': superadmin,
  'PUT /admin/roles/{name}/permissions': superadmin,
  'POST /admin/permissions': superadmin,
  'PATCH /admin/permissions/{name}': superadmin,
  'DELETE /admin/permissions/{name}': superadmin,
  'GET /admin/permissions': admins,
  'GET /admin/plans': admins,
  'PATCH /admin/plans/{name}': admins,
  'PUT /admin/plans/{name}/features': admins,
  'GET /admin/features': admins,
  'POST /admin/features': admins,
  'PATCH /admin/features/{name}': admins,
  'DELETE /admin/features/{name}': admins,
  'GET /admin/quotas': admins,
  'PUT /admin/quotas/{plan}': admins,
  'POST /admin/plans': admins,
  'DELETE /admin/plans/{name}': admins,
  'GET /admin/subscriptions': admins,
  'GET /admin/audit-logs': admins,
  'GET /admin/login-attempts': admins,
  'GET /admin/rate-limit-logs': admins,
  'GET /admin/upkeep-runs': superadmin,
  'POST /admin/upkeep/{job}/runs': superadmin,
  'GET /admin/clients': superadmin,
  'GET /admin/clients/{id}': superadmin,
  'POST /admin/clients': superadmin,
  'PUT /admin/clients/{id}/scopes': superadmin,
  'POST /admin/clients/{id}/secret': superadmin,
  'DELETE /admin/clients/{id}/secret/previous': superadmin,
  'POST /admin/clients/{id}/disable': superadmin,
  'DELETE /admin/clients/{id}': superadmin,
}

const password = 'correct horse battery'
const callers = ['anonymous', ...demoAccounts.map(({ role }) => role)]
const table = [...routes, ...demoRows]
const rows = table.flatMap(compileRow)

let harness: GatewayHarness
const tokens = new Map<string, string>()

/**
 * Real claims, from a login at a real origin; then a gateway alone, so that no call changes what
 * the next one is told.
 */
beforeAll(async () => {
  const fullStack = await createFullStack({ environment: highLimits })
  const pool = createWorkerPool({ threads: 1, queue: 1 })
  const passwords = await createPasswordHasher({
    pool,
    digestKey: fullStack.originConfig.PASSWORD_DIGEST_KEY,
    cost: fullStack.originConfig.PASSWORD_HASH_COST,
  })
  await seedDemoAccounts(fullStack.sql, passwords, password)
  harness = await createGatewayHarness({
    environment: highLimits,
    policy: table,
    upstream: () => new Response(null, { status: 204 }),
  })
  for (const { email, role } of demoAccounts) {
    const { access_token } = await fullStack.login(email, password)
    // With two factors, so that rights alone decide.
    tokens.set(role, await harness.issuer.sign({ ...decodeJwt(access_token), acr: 'aal2' }))
  }
  await pool.close()
  await fullStack.close()
})
afterAll(() => tokens.clear())

async function call(method: string, path: string, caller: string) {
  const target = path.replaceAll(/\{[a-z_]+\}/g, crypto.randomUUID())
  const token = tokens.get(caller)
  // The harness answers for the key set by itself.
  const arrived = () => harness.forwarded.length + harness.keyReads()
  const before = arrived()
  const answer = await harness.call(target, { method, ...(token && { headers: bearer(token) }) })
  return { answer, reached: arrived() > before }
}

describe.each(rows.map(({ method, path }) => [`${method} ${path}`, method, path] as const))(
  '%s',
  (name, method, path) => {
    test.each(callers)('%s is served, or gets the name of the missing condition', async (caller) => {
      const { answer, reached } = await call(method, path, caller)
      if (allowed[name as keyof typeof allowed].includes(caller)) {
        expect({ ok: answer.ok, reached }).toEqual({ ok: true, reached: true })
        return
      }
      expect(reached).toBe(false)
      const { code } = await problem(answer)
      if (caller === 'anonymous')
        expect({ status: answer.status, code }).toEqual({ status: 401, code: 'token_missing' })
      else
        expect({ status: answer.status, code }).toEqual({
          status: 403,
          code: expect.stringMatching(/_required$/),
        })
    })
  },
)

test('the page above names each row of the policy table, and no other', () => {
  expect(Object.keys(allowed).sort()).toEqual(rows.map(({ method, path }) => `${method} ${path}`).sort())
})
