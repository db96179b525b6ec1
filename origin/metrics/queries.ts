import type { Queryable } from '../db/types.ts'
import type { KeyState } from '../keys/rules.ts'
import { unknownDevice } from '../lockout/queries.ts'
import type { JobName } from '../upkeep/jobs.ts'

/**
 * State that all origins of a database share: each reports the same values. Times in seconds.
 */
export interface SharedState {
  lockedOutAddresses: number
  unverifiedAccounts: number
  mails: { waiting: number; givenUp: number; oldestAge: number }
  resetRequests: { waiting: number; oldestAge: number }
  revocations: { unpublished: number; oldestAge: number }
  /**
   * The age of the oldest key in each state.
   */
  keys: { state: KeyState; count: number; age: number }[]
  /**
   * Seconds since the end of each job's last successful run; null for a job that never succeeded.
   */
  upkeep: { job: JobName; sinceSuccess: number | null }[]
}

/** Counting stops here, so that an attacker cannot make a scrape expensive. */
const maxCounted = 10_000

/**
 * Selects the state in one statement; each part uses an index or a small table.
 *
 * A lockout counts by address, with or without an account, so that both cost the same.
 */
export async function selectSharedState(sql: Queryable, jobs: readonly JobName[]): Promise<SharedState> {
  // By id, which is the order of insertion and always has an index.
  const ageOfOldest = (relation: string, where = sql`true`) => sql`
    coalesce((
      select extract(epoch from now() - created_at)::float8 from ${sql(relation)} where ${where} order by id limit 1
    ), 0)`
  const countOf = (relation: string, where = sql`true`) => sql`
    (select count(*)::int from (select from ${sql(relation)} where ${where} limit ${maxCounted}) counted)`
  const due = sql`next_attempt_at < 'infinity'`
  const [row] = await sql<[SharedState]>`
    select
      ${countOf('login_counters', sql`window_ends_at > now() and locked_at is not null and device_id = ${unknownDevice}`)}
        as "lockedOutAddresses",
      ${countOf('user_accounts', sql`email_verified_at is null`)} as "unverifiedAccounts",
      json_build_object(
        'waiting', ${countOf('mail_outbox', due)},
        'givenUp', ${countOf('mail_outbox', sql`next_attempt_at = 'infinity'`)},
        'oldestAge', ${ageOfOldest('mail_outbox', due)}
      ) as mails,
      json_build_object(
        'waiting', ${countOf('reset_requests')} + ${countOf('verification_requests')},
        'oldestAge', greatest(${ageOfOldest('reset_requests')}, ${ageOfOldest('verification_requests')})
      ) as "resetRequests",
      json_build_object(
        'unpublished', ${countOf('revocations', sql`published_at is null`)},
        'oldestAge', ${ageOfOldest('revocations', sql`published_at is null`)}
      ) as revocations,
      coalesce((
        select json_agg(json_build_object('state', state, 'count', count, 'age', age))
        from (
          select state, count(*)::int, extract(epoch from now() - min(state_since))::float8 as age
          from signing_keys group by state
        ) by_state
      ), '[]') as keys,
      coalesce((
        select json_agg(json_build_object('job', job, 'sinceSuccess', (
          select extract(epoch from now() - finished_at)::float8 from upkeep_runs
          where upkeep_runs.job = jobs.job and outcome = 'succeeded'
          order by id desc limit 1
        )))
        from unnest(${jobs as string[]}::text[]) jobs (job)
      ), '[]') as upkeep`
  return row
}
