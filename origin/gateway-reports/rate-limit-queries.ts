import type { RateLimitReport } from '../../shared/contract.ts'
import type { Queryable } from '../db/types.ts'

/** Inserts a gateway's batch in one statement. */
export async function insertRateLimitReport(
  sql: Queryable,
  refusals: RateLimitReport['refusals'],
): Promise<void> {
  await sql`
    insert into rate_limit_logs (limit_class, limit_key, method, route, refused)
    select * from unnest(
      ${refusals.map((refusal) => refusal.class)}::text[],
      ${refusals.map(({ key }) => key)}::text[],
      ${refusals.map(({ method }) => method)}::text[],
      ${refusals.map(({ route }) => route)}::text[],
      ${refusals.map(({ count }) => count)}::int[]
    )`
}
