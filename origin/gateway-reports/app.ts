import { Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { VerifyAssertion } from '../../shared/auth/assertion.ts'
import { Problem } from '../../shared/http/errors.ts'
import { assertionHeader } from '../../shared/http/headers.ts'
import { createApiKeyGatewayRoutes } from '../api-keys/gateway-routes.ts'
import type { OriginEnv } from '../http/request-context.ts'
import { createAssertionKeyGatewayRoutes } from '../keys/assertion-key-routes.ts'
import { createPlanCatalogueRoutes } from '../plans/routes.ts'
import { createRevocationRoutes } from '../revocations/routes.ts'
import { createDenialReportRoutes } from './denial-routes.ts'
import { createRateLimitReportRoutes } from './rate-limit-routes.ts'
import { createUsageReportRoutes } from './usage-routes.ts'

interface GatewayAppOptions {
  /**
   * Verifies assertions of the gateway's own requests. No proxied request carries one.
   */
  verifyGatewayAssertion: VerifyAssertion
  plans: Parameters<typeof createPlanCatalogueRoutes>[0]
  rateLimitReports: Parameters<typeof createRateLimitReportRoutes>[0]
  denialReports: Parameters<typeof createDenialReportRoutes>[0]
  usageReports: Parameters<typeof createUsageReportRoutes>[0]
  revocations: Parameters<typeof createRevocationRoutes>[0]
  apiKeys: Parameters<typeof createApiKeyGatewayRoutes>[0]
  assertionKeys: Parameters<typeof createAssertionKeyGatewayRoutes>[0]
}

/** The routes that gateways call on their own behalf. */
export function createGatewayApp({
  verifyGatewayAssertion,
  plans,
  rateLimitReports,
  denialReports,
  usageReports,
  revocations,
  apiKeys,
  assertionKeys,
}: GatewayAppOptions) {
  const app = new Hono<OriginEnv>()

  app.use(
    '/internal/gateway/*',
    createMiddleware<OriginEnv>(async function requireGatewayItself(c, next) {
      const jwt = c.req.header(assertionHeader)
      if (!jwt || !(await verifyGatewayAssertion(jwt))) throw new Problem('untrusted_caller')
      await next()
    }),
  )

  app.route('/', createRevocationRoutes(revocations))
  app.route('/', createPlanCatalogueRoutes(plans))
  app.route('/', createRateLimitReportRoutes(rateLimitReports))
  app.route('/', createDenialReportRoutes(denialReports))
  app.route('/', createUsageReportRoutes(usageReports))
  app.route('/', createApiKeyGatewayRoutes(apiKeys))
  app.route('/', createAssertionKeyGatewayRoutes(assertionKeys))

  return app
}
