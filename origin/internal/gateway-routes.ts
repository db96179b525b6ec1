import { Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import { Problem } from '../../shared/errors.ts'
import { assertionHeader } from '../../shared/headers.ts'
import type { OpenAssertion } from '../../shared/identity.ts'
import type { OriginEnv } from '../caller.ts'

interface GatewayRoutesOptions {
  /** Opens what the gateway seals for its own questions, which nothing that it passes on carries. */
  openGatewayAssertion: OpenAssertion
}

/** What gateways ask and tell the origin on their own behalf. */
export function createGatewayRoutes({ openGatewayAssertion }: GatewayRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  routes.use(
    createMiddleware<OriginEnv>(async function requireGatewayItself(c, next) {
      const sealed = c.req.header(assertionHeader)
      if (!sealed || !(await openGatewayAssertion(sealed))) throw new Problem('untrusted_caller')
      await next()
    }),
  )

  return routes
}
