import { Hono } from 'hono'
import { gatewayReports } from '../../shared/contract.ts'
import type { Log } from '../../shared/lib/log.ts'
import type { Queryable } from '../db/types.ts'
import type { OriginEnv } from '../http/request-context.ts'
import { serve } from '../http/serve.ts'
import { addUsageReport } from './usage-queries.ts'

interface UsageReportRoutesOptions {
  sql: Queryable
  log: Log
}

/** Adds up the usage that gateways report. */
export function createUsageReportRoutes({ sql, log }: UsageReportRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  serve(routes, gatewayReports.endpoints.reportUsage, async ({ body, respond }) => {
    await addUsageReport(sql, body)
    if (body.dropped > 0) log.warn({ dropped: body.dropped }, 'the usage of users has a gap')
    return respond()
  })

  return routes
}
