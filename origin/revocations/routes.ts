import { zValidator } from '@hono/zod-validator'
import { Hono } from 'hono'
import { z } from 'zod'
import type { RevocationFeed } from '../../shared/auth/revocation.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { OriginEnv } from '../http/request-context.ts'

interface RevocationRoutesOptions {
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

/** The feed that gateways follow. */
export function createRevocationRoutes({ readRevocations }: RevocationRoutesOptions) {
  const routes = new Hono<OriginEnv>()
  routes.get('/revocations', revocationQuery, async (c) =>
    c.json(await readRevocations(c.req.valid('query').after ?? null)),
  )
  return routes
}
