import { Hono } from 'hono'
import { denialReport } from '../../shared/contract.ts'
import type { Log } from '../../shared/lib/log.ts'
import type { Queryable } from '../db/types.ts'
import { jsonBody } from '../http/json-body.ts'
import type { OriginEnv } from '../http/request-context.ts'
import { insertDenialReport } from './denial-queries.ts'

interface DenialReportRoutesOptions {
  sql: Queryable
  log: Log
}

/** Takes in what gateways tell of people who asked for what their role may not do. */
export function createDenialReportRoutes({ sql, log }: DenialReportRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  routes.post('/denials', ...jsonBody(denialReport), async (c) => {
    const { dropped, denials } = c.req.valid('json')
    if (denials.length > 0) await insertDenialReport(sql, denials, c.get('requestId'))
    if (dropped > 0) log.warn({ dropped }, 'the audit log of denials has a gap')
    return c.body(null, 204)
  })

  return routes
}
