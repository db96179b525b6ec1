import type { Sql } from '../db/types.ts'
import type { UpkeepJob } from './jobs.ts'

const prefix = 'gatehouse '

/**
 * Whether the database has a scheduler of its own. pg_cron lives in one database of a server alone.
 */
export async function hasPgCron(sql: Sql): Promise<boolean> {
  const [row] = await sql<[{ present: boolean }]>`
    select exists (select from pg_extension where extname = 'pg_cron') as present`
  return row.present
}

/**
 * Leaves the jobs to pg_cron, by name: a second time changes nothing, a changed hour or age
 * replaces the old one, and a job that is no longer on the list goes. The call is a statement of
 * its own, as it commits.
 *
 * @throws PostgresError where we may not
 */
export async function scheduleByPgCron(sql: Sql, jobs: readonly UpkeepJob[]): Promise<void> {
  await sql.begin(async (transaction) => {
    for (const { name, cron, keepDays } of jobs) {
      await transaction`
        select cron.schedule(${prefix + name}, ${cron},
          format('call run_upkeep(%L, date_trunc(''minute'', now()), %L::integer)', ${name}::text, ${keepDays}::integer))`
    }
    const names = jobs.map(({ name }) => prefix + name)
    await transaction`
      select cron.unschedule(jobid) from cron.job
      where starts_with(jobname, ${prefix}) and jobname <> all (${names}) and username = current_user`
  })
}
