import { Hono } from 'hono'
import { gatewayReports } from '../../shared/contract.ts'
import type { Log } from '../../shared/lib/log.ts'
import type { Queryable } from '../db/types.ts'
import type { OriginEnv } from '../http/request-context.ts'
import { serve } from '../http/serve.ts'
import { insertRateLimitReport } from '../limits/rejection-queries.ts'

interface RateLimitReportRoutesOptions {
  sql: Queryable
  log: Log
}

/** Stores the reports of gateways on rate-limited requests. */
export function createRateLimitReportRoutes({ sql, log }: RateLimitReportRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  serve(
    routes,
    gatewayReports.endpoints.reportRateLimits,
    async ({ body: { dropped, refusals }, respond }) => {
      if (refusals.length > 0) await insertRateLimitReport(sql, refusals)
      if (dropped > 0) log.warn({ dropped }, 'the log of refused requests has a gap')
      return respond()
    },
  )

  return routes
}
