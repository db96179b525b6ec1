import type { Log } from '../../shared/lib/log.ts'
import type { Sql } from '../db/types.ts'
import type { JobName, UpkeepJob } from './jobs.ts'
import { callRunUpkeep, selectUpkeepRun } from './queries.ts'

/** How long a run may take. What it committed until then stays, and the next slot goes on. */
export const runSeconds = 15 * 60

/** How a run ended. */
export type RunKind = 'succeeded' | 'failed' | 'broken_off'

interface RunnerOptions {
  /**
   * Of one connection, whose statements may take `runSeconds`. The lock that keeps others from the
   * same job goes with it when it is lost.
   */
  sql: Sql
  log: Log
  /** Called for each run of this process. */
  onRun?: (job: JobName, kind: RunKind) => void
}

export type UpkeepRunner = ReturnType<typeof createUpkeepRunner>

/** Runs jobs one after the other, so that upkeep never takes more than its one connection. */
export function createUpkeepRunner({ sql, log, onRun = () => {} }: RunnerOptions) {
  let stopping = false
  let last: Promise<void> = Promise.resolve()

  async function runNow(job: UpkeepJob, slot: Date, runId?: string): Promise<void> {
    // postgres.js 3.4.9 answers the first statement after a lost connection with the error of the
    // loss. That shall not be the call.
    await sql`select`.catch(() => {})
    const id = await callRunUpkeep(sql, { job, slot, runId })
    if (id === undefined) return
    const run = await selectUpkeepRun(sql, id)
    const fields = { job: job.name, run_id: id, rows: run?.rows }
    onRun(job.name, run?.outcome === 'failed' ? 'failed' : 'succeeded')
    if (run?.outcome === 'failed') log.error({ ...fields, reason: run.error }, 'upkeep failed')
    else log.info(fields, 'upkeep done')
  }

  async function runUnlessStopping(job: UpkeepJob, slot: Date, runId?: string): Promise<void> {
    if (stopping) return
    try {
      await runNow(job, slot, runId)
    } catch (error) {
      onRun(job.name, 'broken_off')
      log.error({ job: job.name, err: error }, 'upkeep broke off')
    }
  }

  return {
    /** Resolves when the run is over, whatever became of it: that is in its row and in the log. */
    run(job: UpkeepJob, slot: Date, runId?: string): Promise<void> {
      last = last.then(() => runUnlessStopping(job, slot, runId))
      return last
    },

    /**
     * No run starts any more. One under way gets `graceSeconds`; after that its connection may be
     * closed. The database then ends it by itself, or leaves what was not committed to the next
     * slot.
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
