import type { Queryable } from '../db/types.ts'
import { type AttemptGroup, hashOfEmail } from './queries.ts'

/** Names the count over all groups of an account, beside those of its groups. */
const allGroups = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

/** Consecutive wrong codes of one account over all groups (NIST SP 800-63B-4, section 3.2.2). */
export const maxConsecutiveFailures = 100

/** A count is kept this long after its last attempt. */
const keepSeconds = 180 * 86_400

/**
 * Counts an attempt at a code as failed before it is evaluated, so that concurrent attempts do not
 * pass the ceiling. A right one clears the count. The race we accept: an attempt that the database
 * interrupts stays counted.
 *
 * @returns whether the attempt is within the ceiling
 */
export async function countConsecutiveAttempt(sql: Queryable, email: string): Promise<boolean> {
  const isOver = sql`counter.window_ends_at <= now()`
  const [row] = await sql<[{ tries: number }]>`
    insert into login_counters as counter (address_hash, device_id, tries, window_ends_at)
    values (${hashOfEmail(sql, sql`${email}`, 'code')}, ${allGroups}, 1, now() + make_interval(secs => ${keepSeconds}))
    on conflict (address_hash, device_id) do update set
      tries = case when ${isOver} then 1 else least(counter.tries, ${maxConsecutiveFailures}) + 1 end,
      locked_at = case when ${isOver} then null else counter.locked_at end,
      window_ends_at = excluded.window_ends_at
    returning tries`
  return row.tries <= maxConsecutiveFailures
}

/** Starts the count anew, after a right code or with a new factor. */
export async function clearConsecutiveFailures(sql: Queryable, email: string): Promise<void> {
  await sql`
    delete from login_counters
    where address_hash = ${hashOfEmail(sql, sql`${email}`, 'code')} and device_id = ${allGroups}`
}

/** @returns whether this failure is the one that reached the ceiling */
export async function startCeilingLockout(
  sql: Queryable,
  { emailHash }: Pick<AttemptGroup, 'emailHash'>,
): Promise<boolean> {
  const { count } = await sql`
    update login_counters set locked_at = now()
    where address_hash = ${emailHash} and device_id = ${allGroups}
      and tries >= ${maxConsecutiveFailures} and locked_at is null`
  return count === 1
}
