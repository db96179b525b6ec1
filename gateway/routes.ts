import type { RouteRow } from './policy.ts'

/** The policy table. Protecting a route is a row here, not code in a handler; no row, no way in. */
export const routes: readonly RouteRow[] = [
  { method: 'POST', path: '/auth/register', upstream: 'origin', who: 'public', limits: ['address'] },
  { method: 'POST', path: '/auth/login', upstream: 'origin', who: 'public', limits: ['address'] },
  { method: 'POST', path: '/auth/refresh', upstream: 'origin', who: 'public', limits: ['address'] },
  { method: 'POST', path: '/auth/logout', upstream: 'origin', who: 'public', limits: ['address'] },
  { method: 'GET', path: '/.well-known/jwks.json', upstream: 'origin', who: 'public', limits: ['address'] },
  {
    method: 'GET',
    path: '/v1/me',
    upstream: 'origin',
    who: 'user',
    permissions: { all: ['profile.read'] },
    limits: ['user'],
  },
  {
    method: 'GET',
    path: '/v1/reports',
    upstream: 'reports',
    who: 'user',
    permissions: { all: ['dashboard.read'] },
    features: ['premium_dashboard'],
    limits: ['user'],
  },
]
