import { Hono } from 'hono'
import { gatewayReports } from '../../shared/contract.ts'
import type { Log } from '../../shared/lib/log.ts'
import type { Queryable } from '../db/types.ts'
import type { OriginEnv } from '../http/request-context.ts'
import { serve } from '../http/serve.ts'
import { insertDenialReport } from './denial-queries.ts'

interface DenialReportRoutesOptions {
  sql: Queryable
  log: Log
}

/** Stores the reports of gateways on signed-in users without the permission. */
export function createDenialReportRoutes({ sql, log }: DenialReportRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  serve(
    routes,
    gatewayReports.endpoints.reportDenials,
    async ({ body: { dropped, denials }, respond }, c) => {
      if (denials.length > 0) await insertDenialReport(sql, denials, c.get('requestId'))
      if (dropped > 0) log.warn({ dropped }, 'the audit log of denials has a gap')
      return respond()
    },
  )

  return routes
}
