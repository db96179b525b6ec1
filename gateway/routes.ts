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

/** The policy table. Protecting a route is a row here, not code in a handler; no row, no way in. */
export const routes: readonly RouteRow[] = [
  { method: 'POST', path: '/auth/register', ...mails },
  { method: 'POST', path: '/auth/login', ...passwords },
  { method: 'POST', path: '/auth/refresh', ...renews },
  { method: 'POST', path: '/auth/logout', ...renews },
  { method: 'POST', path: '/auth/email/resend', ...mails },
  { method: 'POST', path: '/auth/password/forgot', ...mails },
  { method: 'POST', path: '/auth/password/reset', ...links, passes: ['cookies'] },
  { method: 'POST', path: '/auth/email/verify', ...links },
  {
    method: 'POST',
    path: '/auth/password',
    ...manages,
    limits: ['account', 'credentials'],
    passes: ['cookies'],
  },
  { method: 'GET', path: '/auth/sessions', ...manages },
  { method: 'DELETE', path: '/auth/sessions', ...manages },
  { method: 'DELETE', path: '/auth/sessions/{id}', ...manages },

  { method: 'POST', path: '/oauth/token', ...clients },
  { method: 'POST', path: '/oauth/introspect', ...clients },
  { method: 'POST', path: '/oauth/revoke', ...clients },
  { method: 'GET', path: '/.well-known/jwks.json', ...open },
  { method: 'GET', path: '/.well-known/oauth-authorization-server', ...open },

  { method: 'GET', path: '/v1/me', ...own, permissions: { all: ['profile.read'] } },
  { method: 'GET', path: '/v1/plans', ...open },
  { method: 'GET', path: '/v1/subscription', ...own, permissions: { all: ['profile.read'] } },

  { method: 'GET', path: '/admin/users', ...manages, ...readsUsers },
  { method: 'GET', path: '/admin/users/{id}', ...manages, ...readsUsers },
  { method: 'PUT', path: '/admin/users/{id}/role', ...manages, ...managesUsers },
  { method: 'POST', path: '/admin/users/{id}/lock', ...manages, ...managesUsers },
  { method: 'POST', path: '/admin/users/{id}/unlock', ...manages, ...managesUsers },
  { method: 'GET', path: '/admin/users/{id}/sessions', ...manages, ...readsUsers },
  { method: 'DELETE', path: '/admin/users/{id}/sessions', ...manages, ...managesUsers },
  { method: 'DELETE', path: '/admin/users/{id}/sessions/{session_id}', ...manages, ...managesUsers },
  { method: 'GET', path: '/admin/roles', ...manages, ...readsUsers },
  { method: 'GET', path: '/admin/permissions', ...manages, ...readsUsers },
  {
    method: 'PUT',
    path: '/admin/roles/{name}/permissions',
    ...manages,
    permissions: { all: ['roles.manage'] },
  },
  { method: 'GET', path: '/admin/audit-logs', ...manages, ...readsAudit },
  { method: 'GET', path: '/admin/login-attempts', ...manages, ...readsAudit },
  { method: 'GET', path: '/admin/rate-limit-logs', ...manages, ...readsAudit },
  { method: 'GET', path: '/admin/upkeep-runs', ...manages, permissions: { all: ['system.manage'] } },
  { method: 'POST', path: '/admin/upkeep/{job}/runs', ...manages, permissions: { all: ['system.manage'] } },
  { method: 'PUT', path: '/admin/users/{id}/subscription', ...manages, ...managesSubscriptions },
  { method: 'GET', path: '/admin/subscriptions', ...manages, ...managesSubscriptions },
  { method: 'GET', path: '/admin/features', ...manages, ...managesSubscriptions },
  { method: 'GET', path: '/admin/plans', ...manages, ...managesSubscriptions },
  { method: 'PATCH', path: '/admin/plans/{name}', ...manages, ...managesSubscriptions },
  { method: 'PUT', path: '/admin/plans/{name}/features', ...manages, ...managesSubscriptions },
]
