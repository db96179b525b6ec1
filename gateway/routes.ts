import type { RouteRow } from './policy.ts'

/** What anybody may ask of the origin. */
const open = { upstream: 'origin', who: 'public', limits: ['address'] } satisfies Partial<RouteRow>

/** Where a password, a secret or a mailed link is tried. */
const tries = { ...open, limits: ['address', 'credentials'] } satisfies Partial<RouteRow>

/** Where a refresh token, which nobody guesses, is spent: an office behind one address may do so as often as it likes. */
const renews = { ...open, counts: 'failures', passes: ['cookies'] } satisfies Partial<RouteRow>

/** What somebody signed in may ask of the origin on their own behalf. */
const own = { upstream: 'origin', who: 'user', limits: ['user'] } satisfies Partial<RouteRow>

const readsTrail = { permissions: { all: ['audit.read'] } } satisfies Partial<RouteRow>

const managesSubscriptions = {
  permissions: { all: ['subscriptions.manage'] },
} satisfies Partial<RouteRow>

const readsUsers = { permissions: { all: ['users.read'] } } satisfies Partial<RouteRow>
const managesUsers = { permissions: { all: ['users.manage'] } } satisfies Partial<RouteRow>

/** The policy table. Protecting a route is a row here, not code in a handler; no row, no way in. */
export const routes: readonly RouteRow[] = [
  { method: 'POST', path: '/auth/register', ...open },
  { method: 'POST', path: '/auth/login', ...tries, passes: ['cookies'] },
  { method: 'POST', path: '/auth/refresh', ...renews },
  { method: 'POST', path: '/auth/logout', ...renews },
  { method: 'POST', path: '/auth/password/forgot', ...open },
  { method: 'POST', path: '/auth/password/reset', ...tries, passes: ['cookies'] },
  { method: 'POST', path: '/auth/email/verify', ...tries },
  { method: 'POST', path: '/auth/password', ...own, limits: ['user', 'credentials'], passes: ['cookies'] },
  { method: 'GET', path: '/auth/sessions', ...own },
  { method: 'DELETE', path: '/auth/sessions', ...own },
  { method: 'DELETE', path: '/auth/sessions/{id}', ...own },

  { method: 'POST', path: '/oauth/token', ...tries, counts: 'failures', passes: ['authorization'] },
  { method: 'POST', path: '/oauth/introspect', ...tries, counts: 'failures', passes: ['authorization'] },
  { method: 'POST', path: '/oauth/revoke', ...tries, counts: 'failures', passes: ['authorization'] },
  { method: 'GET', path: '/.well-known/jwks.json', ...open },
  { method: 'GET', path: '/.well-known/oauth-authorization-server', ...open },

  { method: 'GET', path: '/v1/me', ...own, permissions: { all: ['profile.read'] } },
  { method: 'GET', path: '/v1/plans', ...open },
  { method: 'GET', path: '/v1/subscription', ...own, permissions: { all: ['profile.read'] } },

  { method: 'GET', path: '/admin/users', ...own, ...readsUsers },
  { method: 'GET', path: '/admin/users/{id}', ...own, ...readsUsers },
  { method: 'PUT', path: '/admin/users/{id}/role', ...own, ...managesUsers },
  { method: 'POST', path: '/admin/users/{id}/lock', ...own, ...managesUsers },
  { method: 'POST', path: '/admin/users/{id}/unlock', ...own, ...managesUsers },
  { method: 'GET', path: '/admin/users/{id}/sessions', ...own, ...readsUsers },
  { method: 'DELETE', path: '/admin/users/{id}/sessions', ...own, ...managesUsers },
  { method: 'DELETE', path: '/admin/users/{id}/sessions/{session_id}', ...own, ...managesUsers },
  { method: 'GET', path: '/admin/roles', ...own, ...readsUsers },
  { method: 'GET', path: '/admin/permissions', ...own, ...readsUsers },
  { method: 'PUT', path: '/admin/roles/{name}/permissions', ...own, permissions: { all: ['roles.manage'] } },
  { method: 'GET', path: '/admin/audit-logs', ...own, ...readsTrail },
  { method: 'GET', path: '/admin/login-attempts', ...own, ...readsTrail },
  { method: 'GET', path: '/admin/rate-limit-logs', ...own, ...readsTrail },
  { method: 'GET', path: '/admin/upkeep-runs', ...own, permissions: { all: ['system.manage'] } },
  { method: 'POST', path: '/admin/upkeep/{job}/runs', ...own, permissions: { all: ['system.manage'] } },
  { method: 'PUT', path: '/admin/users/{id}/subscription', ...own, ...managesSubscriptions },
  { method: 'GET', path: '/admin/subscriptions', ...own, ...managesSubscriptions },
  { method: 'GET', path: '/admin/features', ...own, ...managesSubscriptions },
  { method: 'GET', path: '/admin/plans', ...own, ...managesSubscriptions },
  { method: 'PATCH', path: '/admin/plans/{name}', ...own, ...managesSubscriptions },
  { method: 'PUT', path: '/admin/plans/{name}/features', ...own, ...managesSubscriptions },
]
