import { Hono } from 'hono'
import type { RevocationFeed } from '../../shared/auth/revocation.ts'
import { gatewayReports } from '../../shared/contract.ts'
import type { OriginEnv } from '../http/request-context.ts'
import { serve } from '../http/serve.ts'

interface RevocationRoutesOptions {
  /** @param after null for all */
  readRevocations: (after: string | null) => Promise<RevocationFeed>
}

/** The revocation feed for gateways. */
export function createRevocationRoutes({ readRevocations }: RevocationRoutesOptions) {
  const routes = new Hono<OriginEnv>()
  serve(routes, gatewayReports.endpoints.readRevocations, async ({ query, respond }) =>
    respond(await readRevocations(query.after ?? null)),
  )
  return routes
}
