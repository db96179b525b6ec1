import type { PublicEndpointKey } from '../shared/contract.ts'
import type { RouteRow } from './policy/policy.ts'

/** Public routes of the origin. */
const open = { upstream: 'origin', who: 'public', limits: ['address'] } satisfies Partial<RouteRow>

/** Routes that send mail to the address in the request. */
const mails = { ...open, limits: ['mail'] } satisfies Partial<RouteRow>

/** Routes that check a password. */
const passwords = {
  ...open,
  limits: ['credentials'],
  over_limit: 'forward_known_device',
  passes: ['cookies'],
} satisfies Partial<RouteRow>

/** Routes that check an email token. */
const links = { ...open, limits: ['links'] } satisfies Partial<RouteRow>

/**
 * Routes that use a refresh token. It cannot be guessed, so a valid one is served even if the
 * address is over its limit.
 */
const renews = {
  ...open,
  limits: ['refresh'],
  over_limit: 'forward',
  passes: ['cookies'],
} satisfies Partial<RouteRow>

/** Routes that authenticate OAuth clients, by secrets that cannot be guessed. */
const clients = {
  ...open,
  limits: ['clients'],
  over_limit: 'forward',
  passes: ['authorization'],
} satisfies Partial<RouteRow>

/**
 * Routes for a user's own data, under the quota of the plan.
 */
const own = { upstream: 'origin', who: 'user', limits: ['user'] } satisfies Partial<RouteRow>

/**
 * Sessions, account and administration: apart from the plan's quota, so that a tiny quota never
 * prevents signing out or repair.
 */
const manages = { ...own, limits: ['account'] } satisfies Partial<RouteRow>

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
  'POST /auth/register': mails,
  'POST /auth/login': passwords,
  'POST /auth/refresh': renews,
  'POST /auth/logout': renews,
  'POST /auth/email/resend': mails,
  'POST /auth/password/forgot': mails,
  'POST /auth/password/reset': { ...links, passes: ['cookies'] },
  'POST /auth/email/verify': links,
  'POST /auth/password': {
    ...manages,
    limits: ['account', 'credentials'],
    passes: ['cookies'],
  },
  'GET /auth/sessions': manages,
  'DELETE /auth/sessions': manages,
  'DELETE /auth/sessions/{id}': manages,

  'POST /oauth/token': clients,
  'POST /oauth/introspect': clients,
  'POST /oauth/revoke': clients,
  'GET /.well-known/jwks.json': open,
  'GET /.well-known/oauth-authorization-server': open,

  'GET /v1/me': { ...own, permissions: { all: ['profile.read'] } },
  'GET /v1/plans': open,
  'GET /v1/subscription': { ...own, permissions: { all: ['profile.read'] } },

  'GET /admin/users': { ...manages, ...readsUsers },
  'GET /admin/users/{id}': { ...manages, ...readsUsers },
  'PUT /admin/users/{id}/role': { ...manages, ...managesUsers },
  'POST /admin/users/{id}/lock': { ...manages, ...managesUsers },
  'POST /admin/users/{id}/unlock': { ...manages, ...managesUsers },
  'GET /admin/users/{id}/sessions': { ...manages, ...readsUsers },
  'DELETE /admin/users/{id}/sessions': { ...manages, ...managesUsers },
  'DELETE /admin/users/{id}/sessions/{session_id}': { ...manages, ...managesUsers },
  'GET /admin/roles': { ...manages, ...readsUsers },
  'GET /admin/permissions': { ...manages, ...readsUsers },
  'PUT /admin/roles/{name}/permissions': {
    ...manages,
    permissions: { all: ['roles.manage'] },
  },
  'GET /admin/audit-logs': { ...manages, ...readsAudit },
  'GET /admin/login-attempts': { ...manages, ...readsAudit },
  'GET /admin/rate-limit-logs': { ...manages, ...readsAudit },
  'GET /admin/upkeep-runs': { ...manages, permissions: { all: ['system.manage'] } },
  'POST /admin/upkeep/{job}/runs': { ...manages, permissions: { all: ['system.manage'] } },
  'PUT /admin/users/{id}/subscription': { ...manages, ...managesSubscriptions },
  'GET /admin/subscriptions': { ...manages, ...managesSubscriptions },
  'GET /admin/features': { ...manages, ...managesSubscriptions },
  'GET /admin/plans': { ...manages, ...managesSubscriptions },
  'PATCH /admin/plans/{name}': { ...manages, ...managesSubscriptions },
  'PUT /admin/plans/{name}/features': { ...manages, ...managesSubscriptions },
}

export const routes: readonly RouteRow[] = Object.entries(policy).map(([key, rest]) => {
  const [method, path] = key.split(' ') as [RouteRow['method'], string]
  return { method, path, ...rest }
})
