import type { Queryable } from '../database.ts'
import { passwordVersion } from '../passwords/queries.ts'

/** Whose tries are counted together: one known device's, or all strangers' to an address. */
export interface Counter {
  /** SHA-256 of the address: what has no account is counted like what has one, so that neither shows by its cost. */
  addressHash: Uint8Array
  deviceId: string
}

/** Strangers share this one. */
export const strangers = '00000000-0000-0000-0000-000000000000'

export type AccountStatus = 'active' | 'disabled'

export interface Credentials {
  id: string
  email: string
  passwordHash: string
  passwordVersion: string
  emailVerified: boolean
}

export interface Claim extends Counter {
  /** False where the counter is locked: this try must not be evaluated. */
  claimed: boolean
  account: Credentials | null
}

/** Whose password is tried: somebody's who says an address, or that of somebody signed in. */
export type Whose = { email: string } | { userId: string }

/** A counter apart from that of the strangers: a known device's, a session's, or a mailed link's. */
export interface OwnCounter {
  id: string
  userId: string
  /** Where it is set: theirs only while the account has this password. */
  passwordVersion?: string
}

interface ClaimOptions {
  whose: Whose
  own: readonly OwnCounter[]
  maxTries: number
  windowSeconds: number
}

const hashOf = (sql: Queryable, address: ReturnType<Queryable>) =>
  sql`sha256(convert_to(lower(${address}), 'UTF8'))`

/**
 * Counts a try before it is evaluated, in the statement that finds the account: of fifty at once, as many get a claim as tries are
 * left. Tries are forgotten when none came for the length of the window. An unknown address costs the same statement and the same write.
 *
 * The race we accept: logins of strangers under way count as tries, so more than the limit at once are refused although right.
 */
export async function claimTry(sql: Queryable, options: ClaimOptions): Promise<Claim> {
  const { whose, own, maxTries, windowSeconds } = options
  const given = 'email' in whose ? whose.email : null
  const [row] = await sql<[Claim]>`
    with account as (
      select id, email, password_hash, ${passwordVersion(sql)} as password_version, email_verified_at,
        coalesce(
          (
            select (own ->> 'id')::uuid from jsonb_array_elements(${sql.json(own.map((counter) => ({ ...counter })))}) own
            where (own ->> 'userId')::uuid = user_accounts.id
              and coalesce(own ->> 'passwordVersion', ${passwordVersion(sql)}) = ${passwordVersion(sql)}
            limit 1
          ),
          ${strangers}
        ) as device_id
      from user_accounts
      where ${'userId' in whose ? sql`id = ${whose.userId}` : sql`lower(email) = lower(${given})`}
    ),
    subject as (
      select ${hashOf(sql, sql`coalesce((select email from account), ${given}, '')`)} as address_hash,
        coalesce((select device_id from account), ${strangers}::uuid) as device_id
    ),
    claimed as (
      insert into login_counters as counter (address_hash, device_id, tries, window_ends_at)
      select address_hash, device_id, 1, now() + make_interval(secs => ${windowSeconds}) from subject
      on conflict (address_hash, device_id) do update set
        tries = case when counter.window_ends_at <= now() then 1 else counter.tries + 1 end,
        locked_at = case when counter.window_ends_at <= now() then null else counter.locked_at end,
        window_ends_at = excluded.window_ends_at
      where counter.window_ends_at <= now() or counter.tries < ${maxTries}
      returning address_hash
    )
    select subject.address_hash as "addressHash", subject.device_id as "deviceId",
      exists (select from claimed) as claimed,
      case when account.id is not null then json_build_object(
        'id', account.id,
        'email', account.email,
        'passwordHash', account.password_hash,
        'passwordVersion', account.password_version,
        'emailVerified', account.email_verified_at is not null
      ) end as account
    from subject left join account on true`
  return row
}

/**
 * Holds the account until the transaction ends, if its password is still the one that was evaluated. Without it a login with the old
 * password could open its session just after a change had ended them all.
 *
 * @returns the account's status by now; undefined where it has another password
 */
export async function holdPassword(
  sql: Queryable,
  { id, passwordVersion: evaluated }: Credentials,
): Promise<AccountStatus | undefined> {
  const [row] = await sql<[{ status: AccountStatus }?]>`
    select status from user_accounts where id = ${id} and ${passwordVersion(sql)} = ${evaluated}
    for no key update`
  return row?.status
}

/** Gives a claim back that was never evaluated. Of several at once none is lost: MERGE looks again at a row it had to wait for. */
export async function releaseTry(sql: Queryable, { addressHash, deviceId }: Counter): Promise<void> {
  await sql`
    merge into login_counters counter
    using (select ${addressHash}::bytea as address_hash, ${deviceId}::uuid as device_id) claim
    on counter.address_hash = claim.address_hash and counter.device_id = claim.device_id
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
  { addressHash, deviceId }: Counter,
  { maxTries, lockSeconds }: { maxTries: number; lockSeconds: number },
): Promise<Date | undefined> {
  const [row] = await sql<[{ until: Date }?]>`
    update login_counters set locked_at = now(), window_ends_at = now() + make_interval(secs => ${lockSeconds})
    where address_hash = ${addressHash} and device_id = ${deviceId} and tries >= ${maxTries} and locked_at is null
    returning window_ends_at as until`
  return row?.until
}

/** Forgets the tries of one counter: its owner got in. */
export async function clearCounter(sql: Queryable, { addressHash, deviceId }: Counter): Promise<void> {
  await sql`delete from login_counters where address_hash = ${addressHash} and device_id = ${deviceId}`
}

/** Unlocks an address for everybody. @returns whether anything was counted */
export async function clearCounters(sql: Queryable, email: string): Promise<boolean> {
  const rows = await sql`
    delete from login_counters where address_hash = ${hashOf(sql, sql`${email}`)} returning device_id`
  return rows.length > 0
}
