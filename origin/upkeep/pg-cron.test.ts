import { afterAll, beforeAll, expect, test } from 'vitest'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { jobNamed, jobs } from '../../test/support/database/upkeep-database.ts'
import { describeWith } from '../../test/support/vitest/describe-with.ts'
import { packagedMajor, startPgCronServer } from '../../tools/servers/postgres/pg-cron.ts'
import type { RunningServer } from '../../tools/servers/postgres/postgres.ts'
import { closeSeconds, createDatabase } from '../db/database.ts'
import { migrate } from '../db/migrate.ts'
import type { Sql } from '../db/types.ts'
import type { UpkeepJob } from './jobs.ts'
import { startUpkeepScheduler } from './scheduler.ts'

const major = await packagedMajor()

let server: RunningServer
const { log, lines } = createCapturedLog('origin')
const pools: Sql[] = []
function connect(url: string): Sql {
  const options = { poolMax: 1, idleSeconds: 86_400, connectSeconds: 5, statementSeconds: 30, log }
  const pool = createDatabase({ url, ...options })
  pools.push(pool)
  return pool
}

/**
 * An origin that starts with these jobs. Its own timers run nothing in a test as short as these.
 */
async function start(sql: Sql, scheduled: readonly UpkeepJob[]) {
  const from = lines.length
  const runner = { run: async () => {} }
  const scheduler = await startUpkeepScheduler({ sql, jobs: scheduled, runner, log })
  scheduler.stop()
  return lines.slice(from).map(({ msg }) => msg)
}

describeWith('package of pg_cron beside PostgreSQL', major !== undefined)(
  'where the database has pg_cron',
  () => {
    let sql: Sql
    const scheduled = () => sql<{ jobid: string; jobname: string; schedule: string; command: string }[]>`
    select jobid, jobname, schedule, command from cron.job order by jobname`

    beforeAll(async () => {
      server = await startPgCronServer(major ?? '')
      await migrate(server.url)
      sql = connect(server.url)
      await sql`create extension pg_cron`
    }, 120_000)
    afterAll(async () => {
      for (const pool of pools) await pool.end({ timeout: closeSeconds })
      await server.stop()
    })

    test('an origin leaves it every job, and the next start changes nothing', async () => {
      expect(await start(sql, jobs)).toEqual(['upkeep is left to pg_cron'])
      const first = await scheduled()
      expect(first.map(({ jobname, schedule }) => [jobname, schedule]).sort()).toEqual(
        jobs.map(({ name, cron }) => [`gatehouse ${name}`, cron]).sort(),
      )
      await start(sql, jobs)
      expect(await scheduled()).toEqual(first)
    })

    test('a changed age replaces the old one, a job that left the list goes, and jobs of others stay', async () => {
      await sql`select cron.schedule('theirs', '0 0 * * *', 'select 1')`
      const [audit, attempts] = [jobNamed('audit_logs'), jobNamed('login_attempts')]
      await start(sql, [{ ...audit, keepDays: 7 }, attempts])
      expect((await scheduled()).map(({ jobname }) => jobname)).toEqual([
        'gatehouse audit_logs',
        'gatehouse login_attempts',
        'theirs',
      ])
      expect((await scheduled())[0]?.command).toContain("'7'")
    })

    test('it runs a job in its minute, which leaves a row', async () => {
      await start(sql, [{ ...jobNamed('expired_tokens'), cron: '* * * * *' }])
      const runs = () => sql`select job, outcome, date_trunc('minute', slot) = slot as whole from upkeep_runs`
      const done = [{ job: 'expired_tokens', outcome: 'succeeded', whole: true }]
      await expect.poll(runs, { timeout: 90_000, interval: 500 }).toEqual(done)
      await start(sql, [])
    }, 120_000)

    test('where it may not, an origin logs that and runs its own timers', async () => {
      await sql`create role outsider login`
      const url = new URL(server.url)
      url.username = 'outsider'
      expect(await start(connect(url.href), jobs)).toEqual([
        'pg_cron is there but not ours to use: upkeep runs here',
      ])
      expect(await scheduled()).toHaveLength(1)
    })
  },
)
