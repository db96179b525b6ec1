import { Hono } from 'hono'
import { auditLogFilters, loginAttemptFilters, rateLimitLogFilters } from '../../shared/contract.ts'
import type { Queryable } from '../db/types.ts'
import { listQuery, listResponse } from '../http/pagination.ts'
import type { OriginEnv } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import { selectAuditLogs, selectLoginAttempts, selectRateLimitLogs } from './list-queries.ts'
import { type AuditPosition, auditPosition } from './page.ts'

interface AuditRoutesOptions {
  sql: Queryable
}

const auditLogQuery = listQuery(auditLogFilters, auditPosition)
const loginAttemptQuery = listQuery(loginAttemptFilters, auditPosition)
const rateLimitLogQuery = listQuery(rateLimitLogFilters, auditPosition)

const requireAuditor = requireAuthorization({ permissions: { all: ['audit.read'] } })

/**
 * What happened, who tried to log in, and which requests were refused: newest first, for admins.
 */
export function createAuditRoutes({ sql }: AuditRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  routes.get('/audit-logs', requireAuditor, auditLogQuery, async (c) => {
    const query = c.req.valid('query')
    return listResponse(c, await selectAuditLogs(sql, query), { limit: query.limit, position, item })
  })

  routes.get('/login-attempts', requireAuditor, loginAttemptQuery, async (c) => {
    const query = c.req.valid('query')
    return listResponse(c, await selectLoginAttempts(sql, query), { limit: query.limit, position, item })
  })

  routes.get('/rate-limit-logs', requireAuditor, rateLimitLogQuery, async (c) => {
    const query = c.req.valid('query')
    return listResponse(c, await selectRateLimitLogs(sql, query), { limit: query.limit, position, item })
  })

  return routes
}

const position = ({ created_at, id }: { created_at: string; id: string }): AuditPosition => [created_at, id]

/** Rows come as they are shown. */
const item = <Row>(row: Row) => row
