import type { Queryable } from '../database.ts'
import { passwordVersion } from '../passwords/queries.ts'

/** Whose tries are counted together: one known device's, or all strangers' to an account. */
export interface Counter {
  userId: string
  deviceId: string
}

/** Strangers share this one. */
export const strangers = '00000000-0000-0000-0000-000000000000'

export interface Credentials {
  id: string
  email: string
  passwordHash: string
  passwordVersion: string
  status: 'active' | 'disabled'
  emailVerified: boolean
}

export interface Claim extends Credentials {
  deviceId: string
  /** False where the counter is locked: this try must not be evaluated. */
  claimed: boolean
}

/** Whose password is tried: somebody's who says an address, or that of somebody signed in. */
export type Whose = { email: string } | { userId: string }

/** A counter apart from that of the strangers: a known device's, or a session's. */
export interface OwnCounter {
  id: string
  userId: string
  /** Where it is set: theirs only while the account has this password. */
  passwordVersion?: string
}

interface ClaimOptions {
  whose: Whose
  own: OwnCounter | undefined
  maxTries: number
  windowSeconds: number
}

/**
 * Counts a try before it is evaluated, in the statement that finds the account: of fifty at once, as many get a claim as tries are
 * left. An unknown address costs the same one round trip.
 *
 * The race we accept: logins of strangers under way count as tries, so more than the limit at once are refused although right.
 */
export async function claimTry(sql: Queryable, options: ClaimOptions): Promise<Claim | undefined> {
  const { whose, own, maxTries, windowSeconds } = options
  const [row] = await sql<[Claim?]>`
    with account as (
      select id, email, password_hash, ${passwordVersion(sql)} as password_version, status, email_verified_at,
        case
          when id = ${own?.userId ?? null} and ${passwordVersion(sql)} = coalesce(${own?.passwordVersion ?? null}, ${passwordVersion(sql)})
          then ${own?.id ?? strangers}::uuid
          else ${strangers}::uuid
        end as device_id
      from user_accounts
      where ${'userId' in whose ? sql`id = ${whose.userId}` : sql`lower(email) = lower(${whose.email})`}
    ),
    claimed as (
      insert into login_counters as counter (user_id, device_id, tries, window_ends_at)
      select id, device_id, 1, now() + make_interval(secs => ${windowSeconds}) from account
      on conflict (user_id, device_id) do update set
        tries = case when counter.window_ends_at <= now() then 1 else counter.tries + 1 end,
        locked_at = case when counter.window_ends_at <= now() then null else counter.locked_at end,
        window_ends_at = case when counter.window_ends_at <= now() then excluded.window_ends_at else counter.window_ends_at end
      where counter.window_ends_at <= now() or counter.tries < ${maxTries}
      returning user_id
    )
    select id, email, password_hash as "passwordHash", password_version as "passwordVersion", status, email_verified_at is not null as "emailVerified",
      device_id as "deviceId", exists (select from claimed) as claimed
    from account`
  return row
}

/**
 * Holds the account until the transaction ends, if its password is still the one that was evaluated. Without it a login with the old
 * password could open its session just after a change had ended them all.
 */
export async function holdPassword(
  sql: Queryable,
  { id, passwordVersion: evaluated }: Claim,
): Promise<boolean> {
  const rows = await sql`
    select from user_accounts where id = ${id} and ${passwordVersion(sql)} = ${evaluated}
    for no key update`
  return rows.length === 1
}

/** Gives a claim back that was never evaluated. Of several at once none is lost: MERGE looks again at a row it had to wait for. */
export async function releaseTry(sql: Queryable, { userId, deviceId }: Counter): Promise<void> {
  await sql`
    merge into login_counters counter
    using (select ${userId}::uuid as user_id, ${deviceId}::uuid as device_id) claim
    on counter.user_id = claim.user_id and counter.device_id = claim.device_id
    when matched and counter.tries = 1 then delete
    when matched then update set tries = counter.tries - 1`
}

/**
 * Locks the counter where its tries are used up. One of several failures at once does it.
 *
 * @returns when the lock ends, for the one that locked
 */
export async function lockWhenUsedUp(
  sql: Queryable,
  { userId, deviceId }: Counter,
  { maxTries, lockSeconds }: { maxTries: number; lockSeconds: number },
): Promise<Date | undefined> {
  const [row] = await sql<[{ until: Date }?]>`
    update login_counters set locked_at = now(), window_ends_at = now() + make_interval(secs => ${lockSeconds})
    where user_id = ${userId} and device_id = ${deviceId} and tries >= ${maxTries} and locked_at is null
    returning window_ends_at as until`
  return row?.until
}

/** Forgets the tries of one counter: its owner got in. */
export async function clearCounter(sql: Queryable, { userId, deviceId }: Counter): Promise<void> {
  await sql`delete from login_counters where user_id = ${userId} and device_id = ${deviceId}`
}

/** Unlocks an account for everybody. @returns whether anything was counted */
export async function clearCounters(sql: Queryable, userId: string): Promise<boolean> {
  const rows = await sql`delete from login_counters where user_id = ${userId} returning user_id`
  return rows.length > 0
}
