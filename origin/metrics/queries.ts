import type { Queryable } from '../db/types.ts'
import type { KeyState } from '../keys/rules.ts'
import { unknownDevice } from '../lockout/queries.ts'
import type { JobName } from '../upkeep/jobs.ts'

/**
 * What all origins of a database have in common, so that each of them says the same. Times in
 * seconds.
 */
export interface SharedState {
  lockedOutAddresses: number
  mails: { waiting: number; givenUp: number; oldestAge: number }
  resetRequests: { waiting: number; oldestAge: number }
  revocations: { unpublished: number; oldestAge: number }
  /**
   * How long the key of each state has been in it; where there are several, the one that has
   * longest.
   */
  keys: { state: KeyState; count: number; age: number }[]
  /** Since when each job's last run that succeeded is over; null for a job that never succeeded. */
  upkeep: { job: JobName; sinceSuccess: number | null }[]
}

/** Counting stops here: a scrape must not cost more, the more an attacker has made of something. */
const countedAtMost = 10_000

/**
 * In one statement, each part of which is served by an index or a table of a few rows.
 *
 * A lockout counts for the address, whether or not there is an account: neither is to show by what
 * it costs, and a lookup by hash would.
 */
export async function selectSharedState(sql: Queryable, jobs: readonly JobName[]): Promise<SharedState> {
  // By id, which is the order they came in: an index has it whatever else is in the table.
  const ageOfOldest = (relation: string, where = sql`true`) => sql`
    coalesce((
      select extract(epoch from now() - created_at)::float8 from ${sql(relation)} where ${where} order by id limit 1
    ), 0)`
  const countOf = (relation: string, where = sql`true`) => sql`
    (select count(*)::int from (select from ${sql(relation)} where ${where} limit ${countedAtMost}) counted)`
  const due = sql`next_attempt_at < 'infinity'`
  const [row] = await sql<[SharedState]>`
    select
      ${countOf('login_counters', sql`window_ends_at > now() and locked_at is not null and device_id = ${unknownDevice}`)}
        as "lockedOutAddresses",
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
