import { Hono } from 'hono'
import type { Queryable } from '../db/types.ts'
import { auditDenials } from '../gateway-reports/denials.ts'
import { requireService, type ServiceEnv } from '../oauth/require-service.ts'
import type { VerifyServiceToken } from '../oauth/service-token.ts'
import { createBillingRoutes } from '../subscriptions/billing-routes.ts'
import { createDirectory } from './directory.ts'
import { createDirectoryRoutes } from './directory-routes.ts'

interface InternalRoutesOptions {
  sql: Queryable
  verifyServiceToken: VerifyServiceToken
  billing: Parameters<typeof createBillingRoutes>[0]
}

/** For services of ours that call the origin directly, each by its own token; a scope a route. */
export function createInternalRoutes({ sql, verifyServiceToken, billing }: InternalRoutesOptions) {
  const routes = new Hono<ServiceEnv>()
  routes.use(requireService(verifyServiceToken))
  routes.use(auditDenials(sql))
  routes.route('/', createDirectoryRoutes({ directory: createDirectory(sql) }))
  routes.route('/', createBillingRoutes(billing))
  return routes
}
