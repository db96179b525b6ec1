import { Hono } from 'hono'
import {
  type AuditLogItem,
  audit,
  type LoginAttemptItem,
  type RateLimitLogItem,
} from '../../shared/contract.ts'
import type { Queryable } from '../db/types.ts'
import type { OriginEnv } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import { serveList } from '../http/serve-list.ts'
import { selectAuditLogs, selectLoginAttempts, selectRateLimitLogs } from './list-queries.ts'
import { type AuditPosition, auditPosition } from './page.ts'

interface AuditRoutesOptions {
  sql: Queryable
}

const { listAuditLogs, listLoginAttempts, listRateLimitLogs } = audit.endpoints

const requireAuditor = requireAuthorization({ permissions: { all: ['audit.read'] } })

const newestFirst = {
  position: auditPosition,
  positionOf: ({ created_at, id }: { created_at: string; id: string }): AuditPosition => [created_at, id],
}

/**
 * Security events, login attempts and rate-limited requests: newest first, for admins.
 */
export function createAuditRoutes({ sql }: AuditRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  serveList(
    routes,
    listAuditLogs,
    requireAuditor,
    { ...newestFirst, item: (row: AuditLogItem) => row },
    ({ filters, limit, after: cursor }) => selectAuditLogs(sql, { ...filters, limit, cursor }),
  )

  serveList(
    routes,
    listLoginAttempts,
    requireAuditor,
    { ...newestFirst, item: (row: LoginAttemptItem) => row },
    ({ filters, limit, after: cursor }) => selectLoginAttempts(sql, { ...filters, limit, cursor }),
  )

  serveList(
    routes,
    listRateLimitLogs,
    requireAuditor,
    { ...newestFirst, item: (row: RateLimitLogItem) => row },
    ({ filters, limit, after: cursor }) => selectRateLimitLogs(sql, { ...filters, limit, cursor }),
  )

  return routes
}
