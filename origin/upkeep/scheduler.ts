import { Cron } from 'croner'
import type { Log } from '../../shared/lib/log.ts'
import type { EpochMs } from '../../shared/lib/time.ts'
import type { Sql } from '../db/types.ts'
import type { UpkeepJob } from './jobs.ts'
import { hasPgCron, scheduleByPgCron } from './pg-cron.ts'
import type { UpkeepRunner } from './runner.ts'

interface SchedulerOptions {
  sql: Sql
  jobs: readonly UpkeepJob[]
  runner: Pick<UpkeepRunner, 'run'>
  log: Log
}

const minuteMs = 60_000

/**
 * Schedules every job: with pg_cron where the database has it, else with timers in each replica, of
 * which the first to claim a slot runs it. A replica that started before pg_cron was installed
 * keeps its timers.
 */
export async function startUpkeepScheduler({ sql, jobs, runner, log }: SchedulerOptions) {
  const timers = (await isLeftToPgCron()) ? [] : jobs.map(startTimer)

  async function isLeftToPgCron(): Promise<boolean> {
    if (!(await hasPgCron(sql))) return false
    try {
      await scheduleByPgCron(sql, jobs)
      log.info({ jobs: jobs.length }, 'upkeep is left to pg_cron')
      return true
    } catch (error) {
      log.warn({ err: error }, 'pg_cron is there but not ours to use: upkeep runs here')
      return false
    }
  }

  function startTimer(job: UpkeepJob): Cron {
    return new Cron(job.cron, { timezone: 'UTC', mode: '5-part', protect: true, unref: true }, () =>
      runner.run(job, slotOf(Date.now())),
    )
  }

  return {
    stop() {
      for (const timer of timers) timer.stop()
    },
  }
}

/**
 * The minute in which a timer fired, as pg_cron uses it. A timer fires late, never early; one that
 * is late by a minute causes a second run.
 */
function slotOf(now: EpochMs): Date {
  return new Date(Math.floor(now / minuteMs) * minuteMs)
}
