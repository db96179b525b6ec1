import type { PublicEndpointKey } from '../shared/contract.ts'
import type { PolicyRow } from './policy/policy.ts'
import type { RowMethod } from './policy/row-methods.ts'

/** Public routes of the origin. */
const publicRow = { upstream: 'origin', who: 'public', limits: ['address'] } satisfies Partial<PolicyRow>

/** Routes that send mail to the address in the request. */
const mailRow = { ...publicRow, limits: ['mail'] } satisfies Partial<PolicyRow>

/** Routes that check a password. */
const passwordRow = {
  ...publicRow,
  limits: ['credentials'],
  over_limit: 'forward_known_device',
  passes: ['cookies'],
} satisfies Partial<PolicyRow>

/** Routes that check an email token. */
const emailTokenRow = { ...publicRow, limits: ['links'] } satisfies Partial<PolicyRow>

/**
 * Routes that use a refresh token. It cannot be guessed, so a valid one is served even if the
 * address is over its limit.
 */
const refreshRow = {
  ...publicRow,
  limits: ['refresh'],
  over_limit: 'forward',
  passes: ['cookies'],
} satisfies Partial<PolicyRow>

/** The exchange of a token of a former system, which cannot be guessed, either. */
const exchangeRow = {
  ...publicRow,
  limits: ['exchange'],
  over_limit: 'forward',
  passes: ['cookies'],
} satisfies Partial<PolicyRow>

/** Routes that authenticate OAuth clients, by secrets that cannot be guessed. */
const oauthClientRow = {
  ...publicRow,
  limits: ['clients'],
  over_limit: 'forward',
  passes: ['authorization'],
} satisfies Partial<PolicyRow>

/**
 * Routes for a user's own data, under the quota of the plan.
 */
const userRow = { upstream: 'origin', who: 'user', limits: ['user'] } satisfies Partial<PolicyRow>

/**
 * Sessions, account and administration: apart from the plan's quota, so that a tiny quota never
 * prevents signing out or repair.
 */
const accountRow = { ...userRow, limits: ['account'] } satisfies Partial<PolicyRow>

/** Routes of a signed-in user that check a password or a code. */
const attemptRow = { ...accountRow, limits: ['account', 'credentials'] } satisfies Partial<PolicyRow>

/** Routes that an account needs to add its first second factor, or to present it. */
const beforeEnrolment = { before_enrolment: true } satisfies Partial<PolicyRow>

const readsAudit = { permissions: { all: ['audit.read'] } } satisfies Partial<PolicyRow>

const managesSubscriptions = {
  permissions: { all: ['subscriptions.manage'] },
} satisfies Partial<PolicyRow>

const readsUsers = { permissions: { all: ['users.read'] } } satisfies Partial<PolicyRow>
const managesRoles = { permissions: { all: ['roles.manage'] } } satisfies Partial<PolicyRow>
const managesSystem = { permissions: { all: ['system.manage'] } } satisfies Partial<PolicyRow>
const managesUsers = { permissions: { all: ['users.manage'] } } satisfies Partial<PolicyRow>

/**
 * The policy table. Protecting a route is a row here, not code in a handler; a request without a
 * row is 404. The contracts name its rows: a row without a contract does not compile, nor a
 * contract without a row.
 */
const policyTable: Record<PublicEndpointKey, Omit<PolicyRow, 'method' | 'path'>> = {
  'POST /auth/register': mailRow,
  'POST /auth/login': passwordRow,
  'POST /auth/login/factor': passwordRow,
  'POST /auth/refresh': refreshRow,
  'POST /auth/logout': refreshRow,
  'POST /auth/exchange': exchangeRow,
  'POST /auth/email/resend': mailRow,
  'POST /auth/password/forgot': mailRow,
  'POST /auth/password/reset': { ...emailTokenRow, passes: ['cookies'] },
  'POST /auth/email/verify': emailTokenRow,
  'POST /auth/password': { ...attemptRow, passes: ['cookies'] },
  'POST /auth/step-up': { ...attemptRow, ...beforeEnrolment },
  'GET /auth/factors': { ...accountRow, ...beforeEnrolment },
  'POST /auth/factors/totp': { ...accountRow, ...beforeEnrolment },
  'POST /auth/factors/totp/confirm': { ...attemptRow, ...beforeEnrolment },
  'DELETE /auth/factors/totp': accountRow,
  'POST /auth/factors/recovery-codes': accountRow,
  'GET /auth/sessions': accountRow,
  'DELETE /auth/sessions': accountRow,
  'DELETE /auth/sessions/{id}': accountRow,

  'POST /oauth/token': oauthClientRow,
  'POST /oauth/introspect': oauthClientRow,
  'POST /oauth/revoke': oauthClientRow,
  'GET /.well-known/jwks.json': publicRow,
  'GET /.well-known/gatehouse-assertion-keys.json': publicRow,
  'GET /.well-known/oauth-authorization-server': publicRow,

  'GET /v1/me': { ...userRow, keys: true, permissions: { all: ['profile.read'] } },
  'PATCH /v1/me': { ...userRow, permissions: { all: ['profile.write'] } },
  'GET /v1/usage': { ...accountRow, permissions: { all: ['profile.read'] }, passes: ['limits'] },
  'POST /v1/signed-urls': userRow,
  'GET /v1/plans': publicRow,
  // Without the feature keys can be listed and revoked: a plan that lapsed leaves them.
  'GET /v1/api-keys': accountRow,
  'POST /v1/api-keys': { ...accountRow, features: ['api_access'] },
  'DELETE /v1/api-keys': accountRow,
  'DELETE /v1/api-keys/{id}': accountRow,
  'GET /v1/subscription': { ...userRow, permissions: { all: ['profile.read'] } },

  'GET /admin/users': { ...accountRow, ...readsUsers },
  'GET /admin/users/{id}': { ...accountRow, ...readsUsers },
  'PUT /admin/users/{id}/role': { ...accountRow, ...managesUsers },
  'GET /admin/users/{id}/metadata': { ...accountRow, ...readsUsers },
  'PUT /admin/users/{id}/metadata': { ...accountRow, ...managesUsers },
  'POST /admin/users/{id}/lock': { ...accountRow, ...managesUsers },
  'POST /admin/users/{id}/unlock': { ...accountRow, ...managesUsers },
  'DELETE /admin/users/{id}/factors': { ...accountRow, ...managesUsers, acr: 'aal2' },
  'GET /admin/users/{id}/sessions': { ...accountRow, ...readsUsers },
  'DELETE /admin/users/{id}/sessions': { ...accountRow, ...managesUsers },
  'DELETE /admin/users/{id}/sessions/{session_id}': { ...accountRow, ...managesUsers },
  'GET /admin/users/{id}/api-keys': { ...accountRow, ...readsUsers },
  'DELETE /admin/users/{id}/api-keys': { ...accountRow, ...managesUsers },
  'DELETE /admin/users/{id}/api-keys/{key_id}': { ...accountRow, ...managesUsers },
  'GET /admin/roles': { ...accountRow, ...readsUsers },
  'GET /admin/permissions': { ...accountRow, ...readsUsers },
  'POST /admin/roles': { ...accountRow, ...managesRoles },
  'PATCH /admin/roles/{name}': { ...accountRow, ...managesRoles },
  'DELETE /admin/roles/{name}': { ...accountRow, ...managesRoles },
  'PUT /admin/roles/{name}/permissions': { ...accountRow, ...managesRoles },
  'POST /admin/permissions': { ...accountRow, ...managesRoles },
  'PATCH /admin/permissions/{name}': { ...accountRow, ...managesRoles },
  'DELETE /admin/permissions/{name}': { ...accountRow, ...managesRoles },
  'GET /admin/audit-logs': { ...accountRow, ...readsAudit },
  'GET /admin/login-attempts': { ...accountRow, ...readsAudit },
  'GET /admin/rate-limit-logs': { ...accountRow, ...readsAudit },
  'GET /admin/usage-days': { ...accountRow, ...readsUsers },
  'GET /admin/upkeep-runs': { ...accountRow, ...managesSystem },
  'POST /admin/upkeep/{job}/runs': { ...accountRow, ...managesSystem },
  'GET /admin/clients': { ...accountRow, ...managesSystem },
  'GET /admin/clients/{id}': { ...accountRow, ...managesSystem },
  'POST /admin/clients': { ...accountRow, ...managesSystem },
  'PUT /admin/clients/{id}/scopes': { ...accountRow, ...managesSystem },
  'POST /admin/clients/{id}/secret': { ...accountRow, ...managesSystem },
  'DELETE /admin/clients/{id}/secret/previous': { ...accountRow, ...managesSystem },
  'POST /admin/clients/{id}/disable': { ...accountRow, ...managesSystem },
  'DELETE /admin/clients/{id}': { ...accountRow, ...managesSystem },
  'PUT /admin/users/{id}/subscription': { ...accountRow, ...managesSubscriptions },
  'GET /admin/subscriptions': { ...accountRow, ...managesSubscriptions },
  'GET /admin/features': { ...accountRow, ...managesSubscriptions },
  'POST /admin/features': { ...accountRow, ...managesSubscriptions },
  'PATCH /admin/features/{name}': { ...accountRow, ...managesSubscriptions },
  'DELETE /admin/features/{name}': { ...accountRow, ...managesSubscriptions },
  'GET /admin/quotas': { ...accountRow, ...managesSubscriptions },
  'PUT /admin/quotas/{plan}': { ...accountRow, ...managesSubscriptions },
  'POST /admin/plans': { ...accountRow, ...managesSubscriptions },
  'DELETE /admin/plans/{name}': { ...accountRow, ...managesSubscriptions },
  'GET /admin/plans': { ...accountRow, ...managesSubscriptions },
  'PATCH /admin/plans/{name}': { ...accountRow, ...managesSubscriptions },
  'PUT /admin/plans/{name}/features': { ...accountRow, ...managesSubscriptions },
}

export const routes: readonly (PolicyRow & { method: RowMethod })[] = Object.entries(policyTable).map(
  ([key, rest]) => {
    const [method, path] = key.split(' ') as [RowMethod, string]
    return { method, path, ...rest }
  },
)
