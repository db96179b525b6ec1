import type { Sql } from '../db/types.ts'
import type { UpkeepJob } from './jobs.ts'

const prefix = 'gatehouse '

/**
 * Whether the database has pg_cron, which only one database of a server can have.
 */
export async function hasPgCron(sql: Sql): Promise<boolean> {
  const [row] = await sql<[{ present: boolean }]>`
    select exists (select from pg_extension where extname = 'pg_cron') as present`
  return row.present
}

/**
 * Schedules the jobs with pg_cron by name: a second call changes nothing, a changed time or age
 * replaces the former one, and jobs no longer listed are removed. The scheduled CALL is a statement
 * of its own, as it commits.
 *
 * @throws PostgresError without permission
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
