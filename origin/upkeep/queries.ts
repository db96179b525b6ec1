import type { Queryable } from '../db/types.ts'
import type { JobName, UpkeepJob } from './jobs.ts'

interface DueRun {
  job: UpkeepJob
  /** The time it was due. */
  slot: Date
  /** The id of a run that an admin has claimed. */
  runId?: string | undefined
}

/**
 * Runs the job to its end. Not inside a transaction: it commits between batches.
 * @returns undefined where another replica has the slot
 */
export async function callRunUpkeep(
  sql: Queryable,
  { job, slot, runId }: DueRun,
): Promise<string | undefined> {
  const [row] = await sql<[{ run: string | null }]>`
    call run_upkeep(${job.name}, ${slot}, ${job.keepDays}, ${runId ?? null})`
  return row.run ?? undefined
}

/** Whether the job is idle. The lock ends with the transaction; the run takes its own. */
export async function isUpkeepIdle(sql: Queryable, job: JobName): Promise<boolean> {
  const [row] = await sql<[{ idle: boolean }]>`select pg_try_advisory_xact_lock(upkeep_lock(${job})) as idle`
  return row.idle
}

/** @returns undefined where the slot is taken */
export async function claimUpkeepRun(
  sql: Queryable,
  job: JobName,
): Promise<{ id: string; slot: Date } | undefined> {
  const [row] = await sql<[{ id: string; slot: Date }?]>`
    insert into upkeep_runs (job, slot) values (${job}, date_trunc('milliseconds', now()))
    on conflict do nothing
    returning id, slot`
  return row
}

export interface UpkeepRun {
  id: string
  job: string
  slot: Date
  startedAt: Date
  finishedAt: Date | null
  rows: number
  outcome: 'succeeded' | 'failed' | null
  /** SQLSTATE and the message of the database. */
  error: string | null
}

const runColumns = (sql: Queryable) => sql`
  id, job, slot, started_at as "startedAt", finished_at as "finishedAt", rows::float8 as rows, outcome, error`

export async function selectUpkeepRun(sql: Queryable, id: string): Promise<UpkeepRun | undefined> {
  const [run] = await sql<[UpkeepRun?]>`select ${runColumns(sql)} from upkeep_runs where id = ${id}`
  return run
}

export interface RunFilter {
  job?: JobName | undefined
  outcome?: 'succeeded' | 'failed' | 'unfinished' | undefined
  /** The page starts below this id. */
  belowId?: string | undefined
  limit: number
}

/** Newest first; up to `limit + 1`. */
export async function selectUpkeepRuns(
  sql: Queryable,
  { job, outcome, belowId, limit }: RunFilter,
): Promise<UpkeepRun[]> {
  return sql<UpkeepRun[]>`
    select ${runColumns(sql)} from upkeep_runs
    where true
      ${job === undefined ? sql`` : sql`and job = ${job}`}
      ${outcome === undefined ? sql`` : outcome === 'unfinished' ? sql`and outcome is null` : sql`and outcome = ${outcome}`}
      ${belowId === undefined ? sql`` : sql`and id < ${belowId}`}
    order by id desc
    limit ${limit + 1}`
}
