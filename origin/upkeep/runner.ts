import type { Log } from '../../shared/lib/log.ts'
import type { Sql } from '../db/types.ts'
import type { JobName, UpkeepJob } from './jobs.ts'
import { callRunUpkeep, selectUpkeepRun } from './queries.ts'

/** The longest time of a run. Its committed batches stay, and the next run continues. */
export const runSeconds = 15 * 60

/** How a run ended. */
export type RunKind = 'succeeded' | 'failed' | 'broken_off'

interface RunnerOptions {
  /**
   * A database with one connection, whose statements may take `runSeconds`. Losing the connection
   * releases the lock of the job.
   */
  sql: Sql
  log: Log
  /** Called after each run of this process. */
  onRun?: (job: JobName, kind: RunKind, rows: number) => void
}

export type UpkeepRunner = ReturnType<typeof createUpkeepRunner>

/** Runs jobs one after the other, so that upkeep never takes more than its one connection. */
export function createUpkeepRunner({ sql, log, onRun = () => {} }: RunnerOptions) {
  let stopping = false
  let last: Promise<void> = Promise.resolve()

  async function runNow(job: UpkeepJob, slot: Date, runId?: string): Promise<void> {
    // postgres.js 3.4.9 rejects the first statement after a lost connection with the error of the
    // loss: this query takes it.
    await sql`select`.catch(() => {})
    const id = await callRunUpkeep(sql, { job, slot, runId })
    if (id === undefined) return
    const run = await selectUpkeepRun(sql, id)
    const fields = { job: job.name, run_id: id, rows: run?.rows }
    onRun(job.name, run?.outcome === 'failed' ? 'failed' : 'succeeded', run?.rows ?? 0)
    if (run?.outcome === 'failed') log.error({ ...fields, reason: run.error }, 'upkeep failed')
    else log.info(fields, 'upkeep done')
  }

  async function runUnlessStopping(job: UpkeepJob, slot: Date, runId?: string): Promise<void> {
    if (stopping) return
    try {
      await runNow(job, slot, runId)
    } catch (error) {
      onRun(job.name, 'broken_off', 0)
      log.error({ job: job.name, err: error }, 'upkeep broke off')
    }
  }

  return {
    /** Resolves when the run has ended; its row and the log tell how. */
    run(job: UpkeepJob, slot: Date, runId?: string): Promise<void> {
      last = last.then(() => runUnlessStopping(job, slot, runId))
      return last
    },

    /**
     * Starts no more runs. A current run gets `graceSeconds`; then its connection may be closed.
     * The database completes the run or leaves the rest to the next slot.
     */
    async stop(graceSeconds: number): Promise<void> {
      stopping = true
      const { promise: graceOver, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, graceSeconds * 1000)
      await Promise.race([last, graceOver])
      clearTimeout(timer)
    },
  }
}
