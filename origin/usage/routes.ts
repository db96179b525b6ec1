import { Hono } from 'hono'
import { parseUserLimits } from '../../shared/contract/user-limits.ts'
import { type UsageDayItem, usage } from '../../shared/contract.ts'
import { userLimitsHeader } from '../../shared/http/headers.ts'
import type { Queryable } from '../db/types.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import { serve } from '../http/serve.ts'
import { serveList } from '../http/serve-list.ts'
import { selectUsageDays, selectUsageOfUser, usagePosition } from './queries.ts'

const readProfile = requireAuthorization({ permissions: { all: ['profile.read'] } })

const readUsers = requireAuthorization({ permissions: { all: ['users.read'] } })

/**
 * Limits and usage. The gateway counts limits, so it sends the current windows in a header; the
 * days come from the database.
 */
export function createUsageRoutes({ sql }: { sql: Queryable }) {
  const routes = new Hono<OriginEnv>()

  serve(routes, usage.endpoints.readUsage, readProfile, async ({ query: { days }, respond }, c) => {
    const { sub } = requireUser(c.get('user'))
    return respond({
      limits: parseUserLimits(c.req.header(userLimitsHeader)),
      days: await selectUsageOfUser(sql, sub, days),
    })
  })

  serveList(
    routes,
    usage.endpoints.listUsageDays,
    readUsers,
    {
      position: usagePosition,
      positionOf: ({ day, user_id, limit_name }: UsageDayItem): [string, string, string] => [
        day,
        user_id,
        limit_name,
      ],
      item: (row: UsageDayItem) => row,
    },
    ({ filters, limit, after }) => selectUsageDays(sql, { ...filters, limit, after }),
  )

  return routes
}
