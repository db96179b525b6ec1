import * as z from 'zod'
import type { UsageDay, UsageDayItem } from '../../shared/contract.ts'
import type { Queryable } from '../db/types.ts'

/** The latest days with usage of one account, the newest first. */
export async function selectUsageOfUser(sql: Queryable, userId: string, days: number): Promise<UsageDay[]> {
  return sql<UsageDay[]>`
    select day::text as day, jsonb_object_agg(limit_name, greatest(0, used)) as used
    from usage_days
    where user_id = ${userId} and day > (now() at time zone 'UTC')::date - ${days}::int
    group by usage_days.day
    order by usage_days.day desc`
}

/** A row's place in the list, newest first. */
export const usagePosition = z.tuple([z.iso.date(), z.guid(), z.string().regex(/^[a-z][a-z_]{0,39}$/)])

interface UsageFilters {
  user_id?: string | undefined
  limit_name?: string | undefined
  /** Included. */
  from?: string | undefined
  /** Not included. */
  to?: string | undefined
  after: z.output<typeof usagePosition> | undefined
  limit: number
}

/** Up to `limit + 1`. */
export async function selectUsageDays(sql: Queryable, filters: UsageFilters): Promise<UsageDayItem[]> {
  const { user_id: userId, limit_name: limitName, from, to, after, limit } = filters
  return sql<UsageDayItem[]>`
    select day::text as day, user_id, limit_name, greatest(0, used)::float8 as used
    from usage_days
    where true
      ${userId ? sql`and user_id = ${userId}` : sql``}
      ${limitName ? sql`and limit_name = ${limitName}` : sql``}
      ${from ? sql`and day >= ${from}::text::date` : sql``}
      ${to ? sql`and day < ${to}::text::date` : sql``}
      ${
        after
          ? sql`and (day, user_id, limit_name) < (${after[0]}::text::date, ${after[1]}::uuid, ${after[2]})`
          : sql``
      }
    order by usage_days.day desc, user_id desc, limit_name desc
    limit ${limit + 1}`
}
