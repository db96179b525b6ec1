import postgres from 'postgres'
import { closeSeconds, createDatabase } from '../../../origin/db/database.ts'
import type { Sql } from '../../../origin/db/types.ts'
import { type JobName, upkeepJobs } from '../../../origin/upkeep/jobs.ts'
import { createUpkeepRunner } from '../../../origin/upkeep/runner.ts'
import { createTestDatabase, directUrl } from '../../../tools/servers/postgres/test-database.ts'
import { createCapturedLog } from '../captured-log.ts'

export type UpkeepDatabase = Awaited<ReturnType<typeof openUpkeepDatabase>>

export const jobs = upkeepJobs({
  AUDIT_LOG_DAYS: 365,
  LOGIN_ATTEMPT_DAYS: 90,
  RATE_LIMIT_LOG_DAYS: 30,
  USAGE_DAYS: 400,
  UNVERIFIED_ACCOUNT_DAYS: 7,
})

export function jobNamed(name: JobName) {
  const job = jobs.find((candidate) => candidate.name === name)
  if (!job) throw new Error(`no job ${name}`)
  return job
}

/** A database of its own, replicas that look after it, and a hand on its rows. */
export async function openUpkeepDatabase() {
  const database = await createTestDatabase()
  const { log, lines } = createCapturedLog('origin')
  const pools: Sql[] = []
  let slots = 0

  function connect(poolMax: number, statementSeconds = 30): Sql {
    const { url } = database
    const pool = createDatabase({
      url,
      poolMax,
      // Longer than any test makes believe.
      idleSeconds: 86_400,
      connectSeconds: 5,
      statementSeconds,
      log,
    })
    pools.push(pool)
    return pool
  }

  const sql = connect(5)
  const runner = createUpkeepRunner({ sql: connect(1), log })

  return {
    url: database.url,
    sql,
    log,
    lines,
    connect,
    runs: (job: JobName) => sql`
      select slot, rows::int as rows, outcome, error, finished_at is not null as finished
      from upkeep_runs where job = ${job} order by id`,
    /** Runs a job for a slot that no replica has claimed. */
    async run(job: JobName) {
      const slot = new Date(Date.UTC(2026, 0, 1, 0, ++slots))
      await runner.run(jobNamed(job), slot)
      const [run] = await sql<[{ rows: number; outcome: string | null; error: string | null }?]>`
        select rows::int as rows, outcome, error from upkeep_runs where job = ${job} and slot = ${slot}`
      return run
    },
    /** Resolves when as many connections as this wait for a lock. */
    async waiting(count: number) {
      const watch = postgres(directUrl(database.url), { max: 1 })
      try {
        for (;;) {
          const [row] = await watch<[{ waiting: number }]>`
            select count(*)::int as waiting from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'`
          if (row.waiting >= count) return
          await new Promise((resolve) => setTimeout(resolve, 5))
        }
      } finally {
        await watch.end()
      }
    },
    async close() {
      for (const pool of pools) await pool.end({ timeout: closeSeconds })
      await database.drop()
    },
  }
}
