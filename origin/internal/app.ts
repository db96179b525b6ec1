import { Hono } from 'hono'
import type { Queryable } from '../db/types.ts'
import { auditDenials } from '../gateway-reports/denials.ts'
import { createImportRoutes } from '../import/routes.ts'
import { type CountServiceRequest, limitServices } from '../limits/limit-services.ts'
import { requireService, type ServiceEnv } from '../oauth/tokens/require-service.ts'
import type { VerifyServiceToken } from '../oauth/tokens/service-token.ts'
import { createBillingRoutes } from '../subscriptions/billing-routes.ts'
import { createDirectory } from './directory.ts'
import { createDirectoryRoutes } from './directory-routes.ts'
import { createMetadataRoutes } from './metadata-routes.ts'

interface InternalAppOptions {
  sql: Queryable
  verifyServiceToken: VerifyServiceToken
  countServiceRequest: CountServiceRequest
  billing: Parameters<typeof createBillingRoutes>[0]
  imports: Parameters<typeof createImportRoutes>[0]
  metadata: Parameters<typeof createMetadataRoutes>[0]
}

/**
 * The routes for services that call the origin directly, with their own token and the scope of the
 * route.
 */
export function createInternalApp({
  sql,
  verifyServiceToken,
  countServiceRequest,
  billing,
  imports,
  metadata,
}: InternalAppOptions) {
  const app = new Hono<ServiceEnv>()
  app.use('/internal/*', requireService(verifyServiceToken))
  app.use('/internal/*', limitServices(countServiceRequest))
  app.use('/internal/*', auditDenials(sql))
  app.route('/', createDirectoryRoutes({ directory: createDirectory(sql) }))
  app.route('/', createBillingRoutes(billing))
  app.route('/', createImportRoutes(imports))
  app.route('/', createMetadataRoutes(metadata))
  return app
}
