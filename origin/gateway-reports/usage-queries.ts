import type { UsageReport } from '../../shared/contract.ts'
import type { Queryable } from '../db/types.ts'

/**
 * Adds a gateway's report in one statement, unless the report was added before: its id and its
 * amounts are stored together. An account that was deleted meanwhile is left out. Rows are locked
 * in one order, so that reports of two gateways cannot deadlock.
 */
export async function addUsageReport(sql: Queryable, { id, usage }: UsageReport): Promise<void> {
  await sql`
    with report as (insert into usage_reports (id) values (${id}) on conflict do nothing returning id)
    insert into usage_days (user_id, day, limit_name, used)
    select entry.user_id, day, limit_name, sum(entry.used)
    from unnest(
      ${usage.map((entry) => entry.user_id)}::uuid[],
      ${usage.map(({ day }) => day)}::date[],
      ${usage.map((entry) => entry.limit_name)}::text[],
      ${usage.map(({ used }) => used)}::bigint[]
    ) as entry (user_id, day, limit_name, used)
    join user_accounts on user_accounts.id = entry.user_id
    where exists (select from report)
    group by entry.user_id, day, limit_name
    order by entry.user_id, day, limit_name
    on conflict (user_id, day, limit_name) do update
    set used = usage_days.used + excluded.used`
}
