import { insertAuditRow } from '../audit/queries.ts'
import type { Sql } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { UpkeepJob } from './jobs.ts'
import { claimUpkeepRun, isUpkeepIdle, type RunFilter, selectUpkeepRuns } from './queries.ts'
import type { UpkeepRunner } from './runner.ts'

interface UpkeepServiceOptions {
  sql: Sql
  jobs: readonly UpkeepJob[]
  runner: Pick<UpkeepRunner, 'run'>
}

export type StartOutcome = { kind: 'started'; id: string } | { kind: 'unknown_job' } | { kind: 'running' }

export type UpkeepService = ReturnType<typeof createUpkeepService>

/** Upkeep for administrators: lists runs and starts a job. */
export function createUpkeepService({ sql, jobs, runner }: UpkeepServiceOptions) {
  /**
   * Jobs that an admin started and that still run: a second start is rejected, so that the queue
   * stays short.
   */
  const inProgress = new Set<UpkeepJob>()

  return {
    list: (filter: RunFilter) => selectUpkeepRuns(sql, filter),

    /**
     * Claims a run, which starts after the response.
     *
     * The race we accept: another run of the job that starts between the claim and this run makes
     * it fail, as its row tells.
     */
    async start(name: string, actorId: string, context: RequestContext): Promise<StartOutcome> {
      const job = jobs.find((candidate) => candidate.name === name)
      if (!job) return { kind: 'unknown_job' }
      if (inProgress.has(job)) return { kind: 'running' }
      inProgress.add(job)
      let ended = Promise.resolve()
      try {
        const run = await claim(job, actorId, context)
        if (!run) return { kind: 'running' }
        ended = runner.run(job, run.slot, run.id)
        return { kind: 'started', id: run.id }
      } finally {
        void ended.finally(() => inProgress.delete(job))
      }
    },
  }

  /** @returns undefined where the job is running */
  function claim(job: UpkeepJob, actorId: string, context: RequestContext) {
    return sql.begin(async (transaction) => {
      const run = (await isUpkeepIdle(transaction, job.name)) && (await claimUpkeepRun(transaction, job.name))
      if (!run) return undefined
      await insertAuditRow(transaction, {
        action: 'upkeep.started',
        actorId,
        userId: null,
        context,
        details: { job: job.name, run_id: run.id },
      })
      return run
    })
  }
}
