import { Hono } from 'hono'
import type { VerifyServiceToken } from '../oauth/service-token.ts'
import { requireService, type ServiceEnv } from '../service-caller.ts'

interface InternalRoutesOptions {
  verifyServiceToken: VerifyServiceToken
}

/** For services of ours that call the origin directly, each by its own token; a scope a route. */
export function createInternalRoutes({ verifyServiceToken }: InternalRoutesOptions) {
  const routes = new Hono<ServiceEnv>()
  routes.use(requireService(verifyServiceToken))
  return routes
}
