import type { PublicEndpointKey } from '../shared/contract.ts'
import type { RouteRow } from './policy/policy.ts'

/** What anybody may ask of the origin. */
const open = { upstream: 'origin', who: 'public', limits: ['address'] } satisfies Partial<RouteRow>

/** What has a mail sent to whom it names. */
const mails = { ...open, limits: ['mail'] } satisfies Partial<RouteRow>

/** Where a password is tried. */
const passwords = {
  ...open,
  limits: ['credentials'],
  over_limit: 'forward_known_device',
  passes: ['cookies'],
} satisfies Partial<RouteRow>

/** Where a mailed link is tried. */
const links = { ...open, limits: ['links'] } satisfies Partial<RouteRow>

/**
 * Where a refresh token, which nobody guesses, is spent: a genuine one is served whatever others at
 * the address do.
 */
const renews = {
  ...open,
  limits: ['refresh'],
  over_limit: 'forward',
  passes: ['cookies'],
} satisfies Partial<RouteRow>

/** Where OAuth clients say who they are, by secrets that nobody guesses. */
const clients = {
  ...open,
  limits: ['clients'],
  over_limit: 'forward',
  passes: ['authorization'],
} satisfies Partial<RouteRow>

/**
 * What somebody signed in may ask of the origin on their own behalf, by the quota of their plan.
 */
const own = { upstream: 'origin', who: 'user', limits: ['user'] } satisfies Partial<RouteRow>

/**
 * Sessions, the account and administration: a tiny quota keeps nobody from signing out, or from
 * repairing it.
 */
const manages = { ...own, limits: ['account'] } satisfies Partial<RouteRow>

const readsAudit = { permissions: { all: ['audit.read'] } } satisfies Partial<RouteRow>

const managesSubscriptions = {
  permissions: { all: ['subscriptions.manage'] },
} satisfies Partial<RouteRow>

const readsUsers = { permissions: { all: ['users.read'] } } satisfies Partial<RouteRow>
const managesUsers = { permissions: { all: ['users.manage'] } } satisfies Partial<RouteRow>

/**
 * The policy table. Protecting a route is a row here, not code in a handler; no row, no way in. The
 * contracts name its rows: a row without a contract does not compile, nor a contract without a row.
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
