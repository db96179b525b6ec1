import type { RateLimitReport } from '../../shared/contract.ts'
import type { Queryable } from '../db/types.ts'

/** Inserts a batch of a gateway or an origin in one statement. */
export async function insertRateLimitReport(
  sql: Queryable,
  rejections: RateLimitReport['refusals'],
): Promise<void> {
  await sql`
    insert into rate_limit_logs (limit_class, limit_key, method, route, refused, report_only)
    select * from unnest(
      ${rejections.map((rejection) => rejection.class)}::text[],
      ${rejections.map(({ key }) => key)}::text[],
      ${rejections.map(({ method }) => method)}::text[],
      ${rejections.map(({ route }) => route)}::text[],
      ${rejections.map(({ count }) => count)}::int[],
      ${rejections.map(({ report_only: reportOnly = false }) => String(reportOnly))}::text[]::boolean[]
    )`
}
