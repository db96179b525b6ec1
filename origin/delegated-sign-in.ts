import { createMiddleware } from 'hono/factory'
import type { Scope } from '../shared/contract/oauth/scopes.ts'
import { addressKey } from '../shared/http/address-key.ts'
import { canonicalAddress } from '../shared/http/canonical-address.ts'
import { Problem } from '../shared/http/errors.ts'
import { attemptHeader, clientAddressHeader } from '../shared/http/headers.ts'
import { overLimitProblem } from '../shared/http/over-limit.ts'
import { insertAuditRow } from './audit/queries.ts'
import type { Queryable } from './db/types.ts'
import { type OriginEnv, type RequestContext, userAgentOf } from './http/request-context.ts'
import type { CountServiceRequest } from './limits/limit-services.ts'
import type { RecordRejection } from './limits/rejection-log.ts'
import type { WindowCounter } from './limits/window-counter.ts'
import { authenticateService } from './oauth/tokens/require-service.ts'
import type { VerifyServiceToken } from './oauth/tokens/service-token.ts'

const scope: Scope = 'users.sign_in'

/** The limits of one address. The gateway counts them for requests that come through it. */
export type AddressLimits = Record<'mail' | 'credentials' | 'links' | 'refresh' | 'exchange', WindowCounter>

/**
 * The limit of a route. `admitsOverLimit`: a request over the limit still reaches the handler,
 * which serves genuine credentials.
 */
export interface RouteLimit {
  limit: keyof AddressLimits
  counts: 'requests' | 'failures'
  admitsOverLimit: boolean
}

const mail: RouteLimit = { limit: 'mail', counts: 'requests', admitsOverLimit: false }
const links: RouteLimit = { limit: 'links', counts: 'failures', admitsOverLimit: false }
const refresh: RouteLimit = { limit: 'refresh', counts: 'failures', admitsOverLimit: true }

/** The routes that need no user, as in the gateway's policy table. */
export const limitsByPath: ReadonlyMap<string, RouteLimit> = new Map<string, RouteLimit>([
  ['/auth/register', mail],
  ['/auth/email/resend', mail],
  ['/auth/password/forgot', mail],
  ['/auth/login', { limit: 'credentials', counts: 'failures', admitsOverLimit: true }],
  ['/auth/login/factor', { limit: 'credentials', counts: 'failures', admitsOverLimit: true }],
  ['/auth/password/reset', links],
  ['/auth/email/verify', links],
  ['/auth/refresh', refresh],
  ['/auth/logout', refresh],
  ['/auth/exchange', { limit: 'exchange', counts: 'failures', admitsOverLimit: true }],
])

/**
 * The routes for users, as in the policy table. A service has no user, so each of them responds
 * 401.
 */
export const userPaths: readonly string[] = [
  '/auth/password',
  '/auth/sessions',
  '/auth/sessions/{id}',
  '/auth/step-up',
  '/auth/factors',
  '/auth/factors/totp',
  '/auth/factors/totp/confirm',
  '/auth/factors/recovery-codes',
]

const userPathPatterns = userPaths.map((path) => new RegExp(`^${path.replaceAll(/{\w+}/g, '[^/]+')}$`))
const isForUsers = (path: string) => userPathPatterns.some((pattern) => pattern.test(path))

const isFailure = ({ status, headers }: Response) =>
  [400, 401, 403].includes(status) && !headers.has(attemptHeader)

interface SignInServiceOptions {
  sql: Queryable
  verify: VerifyServiceToken
  limits: AddressLimits
  countServiceRequest: CountServiceRequest
  recordRejection: RecordRejection
}

/**
 * Authenticates a service that signs users in, such as a server that renders pages, and takes the
 * user's address from its header. Limits, attempts, sessions and audit rows use that address, so
 * that users of one server do not share a limit. A route in neither list would have no limit, so it
 * is rejected.
 *
 * @throws Problem `token_missing`, `invalid_token`, `scope_required`; `bad_request` for a value
 * that is no IP address; `not_found`; `rate_limited`
 */
export function authenticateSignInService(options: SignInServiceOptions) {
  const { sql, verify, limits, countServiceRequest, recordRejection } = options

  /** @returns the id of the client */
  async function requireScope(authorization: string | undefined, context: RequestContext): Promise<string> {
    const { clientId, scopes } = await authenticateService(authorization, verify)
    if (scopes.includes(scope)) return clientId
    await insertAuditRow(sql, {
      action: 'client.denied',
      actorId: null,
      userId: null,
      context,
      details: { client_id: clientId, reason: 'scope_missing', scope },
    })
    throw new Problem('scope_required', { members: { required_scope: scope } })
  }

  return createMiddleware<OriginEnv>(async function delegatedSignIn(c, next) {
    const claimed = c.req.header(clientAddressHeader)
    // The gateway removes this header and reports the address itself.
    if (claimed === undefined || c.get('context')) return next()
    const context: RequestContext = { ip: null, userAgent: userAgentOf(c), requestId: c.get('requestId') }
    const clientId = await requireScope(c.req.header('authorization'), context)
    const { method, path } = c.req
    const counted = limitsByPath.get(path)
    const { headers } = await countServiceRequest(clientId, { method, route: counted ? path : '/auth/*' })
    context.ip = requireAddress(claimed)
    c.set('context', context)
    c.set('user', null)
    if (!counted) {
      if (isForUsers(path)) return next()
      throw new Problem('not_found')
    }

    const limit = limits[counted.limit]
    const key = addressKey(context.ip)
    const overLimit = await (counted.counts === 'requests' ? limit.consume(key) : limit.over(key))
    context.overLimit = overLimit
    if (overLimit && !counted.admitsOverLimit) {
      recordRejection({ limit: limit.name, key, method, route: path })
      throw overLimitProblem(overLimit)
    }
    await next()
    if (counted.counts === 'failures' && !overLimit && isFailure(c.res)) await limit.count(key)
    if (overLimit && c.res.status === 429) recordRejection({ limit: limit.name, key, method, route: path })
    // A rejection for the address tells of the limit of the address.
    if (c.res.headers.has('ratelimit')) return
    for (const [name, value] of Object.entries(headers)) c.header(name, value)
  })
}

/** @throws Problem `bad_request` for anything but an IP address, without a zone or a port */
function requireAddress(text: string): string {
  const address = canonicalAddress(text)
  if (address !== undefined) return address
  throw new Problem('bad_request', { members: { detail: `${clientAddressHeader} must be one IP address` } })
}
