import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { except } from 'hono/combine'
import { createMiddleware } from 'hono/factory'
import { HTTPException } from 'hono/http-exception'
import type { VerifyAssertion } from '../shared/auth/assertion.ts'
import { isWithoutFailure } from '../shared/auth/failed-attempts.ts'
import { type ErrorCode, Problem, problemResponse } from '../shared/http/errors.ts'
import { attemptHeader } from '../shared/http/headers.ts'
import { createErrorReporter, toProblem as toSharedProblem } from '../shared/http/report-error.ts'
import { type RequestLogOptions, requestLog } from '../shared/http/request-log.ts'
import type { BeginSpan } from '../shared/http/tracing.ts'
import type { Log } from '../shared/lib/log.ts'
import { createEmailRoutes, createProfileRoutes } from './accounts/routes.ts'
import { createRoleRoutes } from './admin/role-routes.ts'
import { createUserRoutes } from './admin/user-routes.ts'
import { createApiKeyRoutes } from './api-keys/routes.ts'
import { createAuditRoutes } from './audit/routes.ts'
import { createAuthRoutes } from './auth/routes.ts'
import { isDatabaseUnavailable } from './db/failures.ts'
import { authenticateSignInService } from './delegated-sign-in.ts'
import { createFactorRoutes } from './factors/routes.ts'
import { createGatewayApp } from './gateway-reports/app.ts'
import { createHealthRoutes } from './health/routes.ts'
import { rejectOtherMethods } from './http/other-methods.ts'
import { authenticateGateway, type OriginEnv, requireGateway } from './http/request-context.ts'
import { createInternalApp } from './internal/app.ts'
import { createAssertionKeyRoutes } from './keys/assertion-key-routes.ts'
import { createLegacyRoutes } from './legacy/routes.ts'
import { createClientAdminRoutes } from './oauth/clients/admin-routes.ts'
import { createOAuthRoutes } from './oauth/routes.ts'
import { createPasswordRoutes } from './passwords/routes.ts'
import { createPlanAdminRoutes } from './plans/admin-routes.ts'
import { createPlanRoutes } from './plans/routes.ts'
import { createSessionRoutes } from './sessions/routes.ts'
import { createSignedUrlRoutes } from './signed-urls/routes.ts'
import { createSubscriptionAdminRoutes } from './subscriptions/admin-routes.ts'
import { createSubscriptionRoutes } from './subscriptions/routes.ts'
import { createUpkeepRoutes } from './upkeep/routes.ts'
import { createUsageRoutes } from './usage/routes.ts'
import { createWellKnownRoutes } from './well-known/routes.ts'

/** The dependencies of each group of routes. */
interface OriginOptions {
  health: Parameters<typeof createHealthRoutes>[0]
  wellKnown: Parameters<typeof createWellKnownRoutes>[0]
  assertionKeys: Parameters<typeof createAssertionKeyRoutes>[0]
  oauth: Parameters<typeof createOAuthRoutes>[0]
  auth: Parameters<typeof createAuthRoutes>[0]
  sessions: Parameters<typeof createSessionRoutes>[0]
  legacy: Parameters<typeof createLegacyRoutes>[0]
  passwords: Parameters<typeof createPasswordRoutes>[0]
  factors: Parameters<typeof createFactorRoutes>[0]
  email: Parameters<typeof createEmailRoutes>[0]
  profile: Parameters<typeof createProfileRoutes>[0]
  signedUrls: Parameters<typeof createSignedUrlRoutes>[0]
  users: Parameters<typeof createUserRoutes>[0]
  apiKeys: Parameters<typeof createApiKeyRoutes>[0]
  roles: Parameters<typeof createRoleRoutes>[0]
  upkeep: Parameters<typeof createUpkeepRoutes>[0]
  clients: Parameters<typeof createClientAdminRoutes>[0]
  audit: Parameters<typeof createAuditRoutes>[0]
  usage: Parameters<typeof createUsageRoutes>[0]
  plans: Parameters<typeof createPlanAdminRoutes>[0]
  subscriptions: Parameters<typeof createSubscriptionAdminRoutes>[0] &
    Parameters<typeof createSubscriptionRoutes>[0]
  gateways: Parameters<typeof createGatewayApp>[0]
  internal: Parameters<typeof createInternalApp>[0]
  forwarding: Parameters<typeof authenticateSignInService>[0]
  verifyAssertion: VerifyAssertion
  onResponse?: RequestLogOptions['onResponse']
  beginSpan?: BeginSpan | undefined
  /** Called with the code of every problem response. */
  onRejected?: (code: ErrorCode) => void
  log: Log
}

/** The largest body of a user, and of most services, is a list of a thousand ids. */
const bodyBytes = 64 * 1024

/** The largest body of a service is a thousand accounts to import, with 4 KiB of metadata each. */
const importBodyBytes = 5 * 1024 * 1024

/** The largest body of a gateway is a thousand reports. */
const gatewayBodyBytes = 1024 * 1024

/** A truncated body is the sender's fault, not an internal failure. */
function capBody(maxSize: number) {
  const limitBody = bodyLimit({
    maxSize,
    onError: () => {
      throw new Problem('body_too_large')
    },
  })
  return createMiddleware(async function capBody(c, next) {
    // Requests of these methods have no body; asking for it makes a whole Request on Node, which
    // takes a seventh of the time of `GET /v1/me`.
    if (c.req.method === 'GET' || c.req.method === 'HEAD') return next()
    try {
      return await limitBody(c, next)
    } catch (cause) {
      throw cause instanceof Problem ? cause : new Problem('bad_request', { cause })
    }
  })
}

/**
 * Tokens (RFC 6749, section 5.1) and personal data must not be stored by caches.
 */
const noStore = createMiddleware(async function noStore(c, next) {
  await next()
  c.header('cache-control', 'no-store')
})

/**
 * The service that owns the accounts. It serves the gateway, services with credentials, and to
 * anyone health and public keys.
 */
export function createApp(options: OriginOptions) {
  const { verifyAssertion, onResponse = () => {}, beginSpan, onRejected = () => {}, log } = options
  const reportError = createErrorReporter({ log, toProblem, onProblem: ({ code }) => onRejected(code) })
  const app = new Hono<OriginEnv>()

  const isRoutine = (path: string) => path.startsWith('/internal/gateway/')
  app.use(requestLog(log, { isRoutine, beginSpan, onResponse }))
  app.route('/', createHealthRoutes(options.health))
  app.route('/', createWellKnownRoutes(options.wellKnown))
  app.route('/', createAssertionKeyRoutes(options.assertionKeys))

  app.use('/internal/*', noStore)
  app.use('/internal/gateway/*', capBody(gatewayBodyBytes))
  app.route('/', createGatewayApp(options.gateways))
  app.use('/internal/users/import', capBody(importBodyBytes))
  app.use('/internal/*', except('/internal/users/import', capBody(bodyBytes)))
  app.route('/', createInternalApp(options.internal))

  app.use(authenticateGateway(verifyAssertion))
  app.route('/', createOAuthRoutes(options.oauth))

  app.use(rejectOtherMethods(app))
  app.use('/auth/*', authenticateSignInService(options.forwarding))
  app.use(requireGateway)
  app.use(capBody(bodyBytes))
  app.use('/auth/*', noStore)
  app.use('/admin/clients/*', noStore)
  app.route('/', createAuthRoutes(options.auth))
  app.route('/', createSessionRoutes(options.sessions))
  app.route('/', createLegacyRoutes(options.legacy))
  app.route('/', createPasswordRoutes(options.passwords))
  app.route('/', createFactorRoutes(options.factors))
  app.route('/', createEmailRoutes(options.email))
  app.route('/', createProfileRoutes(options.profile))
  app.route('/', createSignedUrlRoutes(options.signedUrls))
  app.use('/v1/api-keys', noStore)
  app.route('/', createApiKeyRoutes(options.apiKeys))
  app.route('/', createPlanRoutes(options.plans))
  app.route('/', createSubscriptionRoutes(options.subscriptions))
  app.route('/', createUserRoutes(options.users))
  app.route('/', createRoleRoutes(options.roles))
  app.route('/', createUpkeepRoutes(options.upkeep))
  app.route('/', createClientAdminRoutes(options.clients))
  app.route('/', createAuditRoutes(options.audit))
  app.route('/', createUsageRoutes(options.usage))
  app.route('/', createPlanAdminRoutes(options.plans))
  app.route('/', createSubscriptionAdminRoutes(options.subscriptions))

  app.notFound(() => {
    throw new Problem('not_found')
  })
  app.onError((error, c) => {
    const lifecycle = c.get('lifecycle')
    const problem = reportError(error, lifecycle)
    const response = problemResponse(problem, lifecycle.requestId)
    if (isWithoutFailure(problem.code)) response.headers.set(attemptHeader, 'not_failed')
    return response
  })
  return app
}

/** The problem that an error of the origin becomes. */
function toProblem(error: unknown): Problem {
  // Hono throws HTTPException for a body that is not JSON.
  if (error instanceof HTTPException && error.status === 400)
    return new Problem('malformed_json', { cause: error.message })
  if (isDatabaseUnavailable(error)) return new Problem('database_unavailable', { cause: error })
  return toSharedProblem(error)
}
