import { zValidator } from '@hono/zod-validator'
import { Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import { z } from 'zod'
import type { OpenAssertion } from '../../shared/auth/assertion.ts'
import type { RevocationFeed } from '../../shared/auth/revocation.ts'
import { Problem } from '../../shared/http/errors.ts'
import { assertionHeader } from '../../shared/http/headers.ts'
import type { OriginEnv } from '../http/request-context.ts'
import { createPlanCatalogueRoutes } from '../plans/routes.ts'
import { createDenialRoutes } from './denial-routes.ts'
import { createRefusalRoutes } from './rate-limit-routes.ts'

interface GatewayRoutesOptions {
  /** Opens what the gateway seals for its own questions, which nothing that it passes on carries. */
  openGatewayAssertion: OpenAssertion
  plans: Parameters<typeof createPlanCatalogueRoutes>[0]
  refusals: Parameters<typeof createRefusalRoutes>[0]
  denials: Parameters<typeof createDenialRoutes>[0]
  /** @param after null for all */
  readRevocations: (after: string | null) => Promise<RevocationFeed>
}

/** A transaction id, which has 64 bits: this many digits always fit. */
const revocationQuery = zValidator(
  'query',
  z.strictObject({
    after: z
      .string()
      .regex(/^\d{1,18}$/)
      .optional(),
  }),
  (result) => {
    if (!result.success) throw new Problem('query_invalid')
  },
)

/** What gateways ask and tell the origin on their own behalf. */
export function createGatewayRoutes({
  openGatewayAssertion,
  plans,
  refusals,
  denials,
  readRevocations,
}: GatewayRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  routes.use(
    createMiddleware<OriginEnv>(async function requireGatewayItself(c, next) {
      const sealed = c.req.header(assertionHeader)
      if (!sealed || !(await openGatewayAssertion(sealed))) throw new Problem('untrusted_caller')
      await next()
    }),
  )

  routes.get('/revocations', revocationQuery, async (c) =>
    c.json(await readRevocations(c.req.valid('query').after ?? null)),
  )

  routes.route('/', createPlanCatalogueRoutes(plans))
  routes.route('/', createRefusalRoutes(refusals))
  routes.route('/', createDenialRoutes(denials))

  return routes
}
