import { Hono } from 'hono'
import { z } from 'zod'
import type { OriginEnv } from '../caller.ts'
import type { Queryable } from '../database.ts'
import { listAnswer, listQuery } from '../pagination.ts'
import { requireRights } from '../rights.ts'
import { moment, type TrailPosition, trailPosition } from './page.ts'
import { selectAuditLogs, selectLoginAttempts, selectRateLimitLogs } from './queries.ts'

interface TrailRoutesOptions {
  sql: Queryable
}

const accountId = z.guid().optional()
const from = moment.optional()
const to = moment.optional()

const auditLogQuery = listQuery(
  {
    user_id: accountId,
    actor_id: accountId,
    action: z
      .string()
      .max(100)
      .regex(/^[a-z_]+\.[a-z_]+$/)
      .optional(),
    from,
    to,
  },
  trailPosition,
)

const loginAttemptQuery = listQuery(
  {
    email: z.email().max(254).optional(),
    ip: z.union([z.ipv4(), z.ipv6()], { error: 'is not an address' }).optional(),
    user_id: accountId,
    outcome: z.enum(['succeeded', 'failed']).optional(),
    from,
    to,
  },
  trailPosition,
)

const rateLimitLogQuery = listQuery(
  {
    key: z
      .string()
      .min(1)
      .max(200)
      .regex(/^\P{Cc}+$/u)
      .optional(),
    class: z
      .string()
      .regex(/^[a-z_]{1,40}$/)
      .optional(),
    from,
    to,
  },
  trailPosition,
)

const requireAuditor = requireRights({ permissions: { all: ['audit.read'] } })

/** What happened, who tried to log in, and which requests were refused: newest first, for admins. */
export function createTrailRoutes({ sql }: TrailRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  routes.get('/audit-logs', requireAuditor, auditLogQuery, async (c) => {
    const query = c.req.valid('query')
    return listAnswer(c, await selectAuditLogs(sql, query), { limit: query.limit, position, item })
  })

  routes.get('/login-attempts', requireAuditor, loginAttemptQuery, async (c) => {
    const query = c.req.valid('query')
    return listAnswer(c, await selectLoginAttempts(sql, query), { limit: query.limit, position, item })
  })

  routes.get('/rate-limit-logs', requireAuditor, rateLimitLogQuery, async (c) => {
    const query = c.req.valid('query')
    return listAnswer(c, await selectRateLimitLogs(sql, query), { limit: query.limit, position, item })
  })

  return routes
}

const position = ({ created_at, id }: { created_at: string; id: string }): TrailPosition => [created_at, id]

/** Rows come as they are shown. */
const item = <Row>(row: Row) => row
