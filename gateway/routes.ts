import type { PublicEndpointKey } from '../shared/contract.ts'
import type { RouteRow } from './policy/policy.ts'

/** Public routes of the origin. */
const publicRow = { upstream: 'origin', who: 'public', limits: ['address'] } satisfies Partial<RouteRow>

/** Routes that send mail to the address in the request. */
const mailRow = { ...publicRow, limits: ['mail'] } satisfies Partial<RouteRow>

/** Routes that check a password. */
const passwords = {
  ...publicRow,
  limits: ['credentials'],
  over_limit: 'forward_known_device',
  passes: ['cookies'],
} satisfies Partial<RouteRow>

/** Routes that check an email token. */
const links = { ...publicRow, limits: ['links'] } satisfies Partial<RouteRow>

/**
 * Routes that use a refresh token. It cannot be guessed, so a valid one is served even if the
 * address is over its limit.
 */
const refreshRow = {
  ...publicRow,
  limits: ['refresh'],
  over_limit: 'forward',
  passes: ['cookies'],
} satisfies Partial<RouteRow>

/** Routes that authenticate OAuth clients, by secrets that cannot be guessed. */
const clients = {
  ...publicRow,
  limits: ['clients'],
  over_limit: 'forward',
  passes: ['authorization'],
} satisfies Partial<RouteRow>

/**
 * Routes for a user's own data, under the quota of the plan.
 */
const userRow = { upstream: 'origin', who: 'user', limits: ['user'] } satisfies Partial<RouteRow>

/**
 * Sessions, account and administration: apart from the plan's quota, so that a tiny quota never
 * prevents signing out or repair.
 */
const accountRow = { ...userRow, limits: ['account'] } satisfies Partial<RouteRow>

const readsAudit = { permissions: { all: ['audit.read'] } } satisfies Partial<RouteRow>

const managesSubscriptions = {
  permissions: { all: ['subscriptions.manage'] },
} satisfies Partial<RouteRow>

const readsUsers = { permissions: { all: ['users.read'] } } satisfies Partial<RouteRow>
const managesUsers = { permissions: { all: ['users.manage'] } } satisfies Partial<RouteRow>

/**
 * The policy table. Protecting a route is a row here, not code in a handler; a request without a
 * row is 404. The contracts name its rows: a row without a contract does not compile, nor a
 * contract without a row.
 */
const policy: Record<PublicEndpointKey, Omit<RouteRow, 'method' | 'path'>> = {
  'POST /auth/register': mailRow,
  'POST /auth/login': passwords,
  'POST /auth/refresh': refreshRow,
  'POST /auth/logout': refreshRow,
  'POST /auth/email/resend': mailRow,
  'POST /auth/password/forgot': mailRow,
  'POST /auth/password/reset': { ...links, passes: ['cookies'] },
  'POST /auth/email/verify': links,
  'POST /auth/password': {
    ...accountRow,
    limits: ['account', 'credentials'],
    passes: ['cookies'],
  },
  'GET /auth/sessions': accountRow,
  'DELETE /auth/sessions': accountRow,
  'DELETE /auth/sessions/{id}': accountRow,

  'POST /oauth/token': clients,
  'POST /oauth/introspect': clients,
  'POST /oauth/revoke': clients,
  'GET /.well-known/jwks.json': publicRow,
  'GET /.well-known/oauth-authorization-server': publicRow,

  'GET /v1/me': { ...userRow, permissions: { all: ['profile.read'] } },
  'PATCH /v1/me': { ...userRow, permissions: { all: ['profile.write'] } },
  'GET /v1/plans': publicRow,
  'GET /v1/subscription': { ...userRow, permissions: { all: ['profile.read'] } },

  'GET /admin/users': { ...accountRow, ...readsUsers },
  'GET /admin/users/{id}': { ...accountRow, ...readsUsers },
  'PUT /admin/users/{id}/role': { ...accountRow, ...managesUsers },
  'POST /admin/users/{id}/lock': { ...accountRow, ...managesUsers },
  'POST /admin/users/{id}/unlock': { ...accountRow, ...managesUsers },
  'GET /admin/users/{id}/sessions': { ...accountRow, ...readsUsers },
  'DELETE /admin/users/{id}/sessions': { ...accountRow, ...managesUsers },
  'DELETE /admin/users/{id}/sessions/{session_id}': { ...accountRow, ...managesUsers },
  'GET /admin/roles': { ...accountRow, ...readsUsers },
  'GET /admin/permissions': { ...accountRow, ...readsUsers },
  'PUT /admin/roles/{name}/permissions': {
    ...accountRow,
    permissions: { all: ['roles.manage'] },
  },
  'GET /admin/audit-logs': { ...accountRow, ...readsAudit },
  'GET /admin/login-attempts': { ...accountRow, ...readsAudit },
  'GET /admin/rate-limit-logs': { ...accountRow, ...readsAudit },
  'GET /admin/upkeep-runs': { ...accountRow, permissions: { all: ['system.manage'] } },
  'POST /admin/upkeep/{job}/runs': { ...accountRow, permissions: { all: ['system.manage'] } },
  'PUT /admin/users/{id}/subscription': { ...accountRow, ...managesSubscriptions },
  'GET /admin/subscriptions': { ...accountRow, ...managesSubscriptions },
  'GET /admin/features': { ...accountRow, ...managesSubscriptions },
  'GET /admin/plans': { ...accountRow, ...managesSubscriptions },
  'PATCH /admin/plans/{name}': { ...accountRow, ...managesSubscriptions },
  'PUT /admin/plans/{name}/features': { ...accountRow, ...managesSubscriptions },
}

export const routes: readonly RouteRow[] = Object.entries(policy).map(([key, rest]) => {
  const [method, path] = key.split(' ') as [RouteRow['method'], string]
  return { method, path, ...rest }
})
