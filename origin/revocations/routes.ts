import { Hono } from 'hono'
import { z } from 'zod'
import type { RevocationFeed } from '../../shared/auth/revocation.ts'
import { queryParameters } from '../http/query-parameters.ts'
import type { OriginEnv } from '../http/request-context.ts'

interface RevocationRoutesOptions {
  /** @param after null for all */
  readRevocations: (after: string | null) => Promise<RevocationFeed>
}

/** A transaction id, which has 64 bits: this many digits always fit. */
const revocationQuery = queryParameters(
  z.strictObject({
    after: z
      .string()
      .regex(/^\d{1,18}$/)
      .optional(),
  }),
  'path',
)

/** The feed that gateways follow. */
export function createRevocationRoutes({ readRevocations }: RevocationRoutesOptions) {
  const routes = new Hono<OriginEnv>()
  routes.get('/revocations', revocationQuery, async (c) =>
    c.json(await readRevocations(c.req.valid('query').after ?? null)),
  )
  return routes
}
