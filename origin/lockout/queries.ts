import { foldedEmail } from '../db/folded-email.ts'
import { passwordVersion } from '../db/password-version.ts'
import type { Queryable } from '../db/types.ts'

/**
 * Attempts that are counted together: those of one known device, or of all unknown devices at an
 * address.
 */
export interface AttemptGroup {
  /**
   * SHA-256 of the address. An address without an account is counted too, so that both cost the
   * same.
   */
  emailHash: Uint8Array
  deviceId: string
}

/** The secret that attempts are made at. Each has counters of its own. */
export type AttemptSubject = 'password' | 'code'

/** All unknown devices share this id. */
export const unknownDevice = '00000000-0000-0000-0000-000000000000'

export type AccountStatus = 'active' | 'disabled'

export interface Credentials {
  id: string
  email: string
  /** The id in the system that the account was imported from. */
  externalId: string | null
  /** null where the account has no password. */
  passwordHash: string | null
  passwordVersion: string
  emailVerified: boolean
}

export interface AttemptReservation extends AttemptGroup {
  /** Names the reservation in its group until the attempt has ended. */
  reservationId: string
  /**
   * granted: evaluate the attempt. locked: do not evaluate it, as too many have failed.
   * in_progress: unfinished attempts hold the rest; ask again later.
   */
  state: 'granted' | 'locked' | 'in_progress'
  account: Credentials | null
}

/** The account of an attempt: by its address, or by the id of the signed-in user. */
export type AccountRef = { email: string } | { userId: string }

/**
 * A group of its own, apart from unknown devices: that of a known device, a session or a mailed
 * link.
 */
export interface AttemptGroupRef {
  id: string
  userId: string
  /** Where set, the group counts only while the account has this password. */
  passwordVersion?: string
}

interface ReservationOptions {
  subject: AttemptSubject
  accountRef: AccountRef
  ownGroups: readonly AttemptGroupRef[]
  /** Groups in which the attempt reserves nothing: earlier attempts wait for them. */
  excludedGroups: readonly string[]
  maxAttempts: number
  windowSeconds: number
}

/** No address contains a space, so none has the hash of another subject. */
const prefixes: Record<AttemptSubject, string> = { password: '', code: 'code ' }

export const hashOfEmail = (sql: Queryable, address: ReturnType<Queryable>, subject: AttemptSubject) =>
  sql`sha256(convert_to(${prefixes[subject]}::text || ${foldedEmail(sql, address)}, 'UTF8'))`

/**
 * Longer than any evaluation: the gateway gives up after 30 s. Reservations of an origin that
 * crashed expire; their attempts got no response.
 */
const reservationSeconds = 60

/** The reservations of a group that have not expired. */
const liveReservations = (sql: Queryable) => sql`(
  select coalesce(jsonb_object_agg(key, value), '{}') from jsonb_each(counter.claims)
  where value::float8 > extract(epoch from now())
)`

/**
 * Reserves an attempt before it is evaluated, in the statement that finds the account. The column
 * `claims` holds reservations by id, with their end. Failures and reservations together never
 * exceed `maxAttempts`, so of fifty concurrent attempts only as many are evaluated as are left,
 * across all origins. Attempts expire when none came for the length of the window. An unknown
 * address costs the same statement and the same write, and so does a locked one, whose row is
 * rewritten unchanged.
 */
export async function reserveAttempt(
  sql: Queryable,
  options: ReservationOptions,
): Promise<AttemptReservation> {
  const { subject, accountRef, ownGroups, excludedGroups, maxAttempts, windowSeconds } = options
  const reservationId = crypto.randomUUID()
  const given = 'email' in accountRef ? accountRef.email : null
  const reservation = sql`
    case when device_id = any(${[...excludedGroups]}::uuid[]) then '{}' else
      jsonb_build_object(${reservationId}::text, extract(epoch from now() + make_interval(secs => ${reservationSeconds}))) end`
  const isOver = sql`counter.window_ends_at <= now()`
  const tries = sql`case when ${isOver} then 0 else counter.tries end`
  const isFree = sql`
    ${tries} + (select count(*) from jsonb_object_keys(${liveReservations(sql)})) < ${maxAttempts}`
  const [row] = await sql<[AttemptReservation]>`
    with account as (
      select id, email, external_id, password_hash, ${passwordVersion(sql)} as password_version, email_verified_at,
        coalesce(
          (
            select (own ->> 'id')::uuid
            from jsonb_array_elements(${sql.json(ownGroups.map((counter) => ({ ...counter })))}) own
            where (own ->> 'userId')::uuid = user_accounts.id
              and coalesce(own ->> 'passwordVersion', ${passwordVersion(sql)}) = ${passwordVersion(sql)}
            limit 1
          ),
          ${unknownDevice}
        ) as device_id
      from user_accounts
      where ${'userId' in accountRef ? sql`id = ${accountRef.userId}` : sql`${foldedEmail(sql, sql`email`)} = ${foldedEmail(sql, given)}`}
    ),
    subject as (
      select ${hashOfEmail(sql, sql`coalesce((select email from account), ${given}, '')`, subject)} as address_hash,
        coalesce((select device_id from account), ${unknownDevice}::uuid) as device_id
    ),
    counted as (
      insert into login_counters as counter (address_hash, device_id, tries, claims, window_ends_at)
      select address_hash, device_id, 0, ${reservation}, now() + make_interval(secs => ${windowSeconds}) from subject
      on conflict (address_hash, device_id) do update set
        tries = ${tries},
        claims = case when ${isFree} then ${liveReservations(sql)} || excluded.claims else counter.claims end,
        locked_at = case when ${isOver} then null else counter.locked_at end,
        window_ends_at = case when ${isFree} then excluded.window_ends_at else counter.window_ends_at end
      returning tries, claims
    )
    select subject.address_hash as "emailHash", subject.device_id as "deviceId", ${reservationId} as "reservationId",
      case
        when counted.claims ? ${reservationId} then 'granted'
        when counted.tries >= ${maxAttempts} then 'locked'
        else 'in_progress'
      end as state,
      case when account.id is not null then json_build_object(
        'id', account.id,
        'email', account.email,
        'externalId', account.external_id,
        'passwordHash', account.password_hash,
        'passwordVersion', account.password_version,
        'emailVerified', account.email_verified_at is not null
      ) end as account
    from subject cross join counted left join account on true`
  return row
}

/**
 * Locks the row of the account until the transaction ends, if its password is still the one
 * evaluated. Otherwise a login with the old password could open a session just after a change ended
 * all of them.
 *
 * @returns the current status of the account; undefined where it has another password
 */
export async function lockPasswordForUpdate(
  sql: Queryable,
  { id, passwordVersion: evaluated }: Pick<Credentials, 'id' | 'passwordVersion'>,
): Promise<AccountStatus | undefined> {
  const [row] = await sql<[{ status: AccountStatus }?]>`
    select status from user_accounts where id = ${id} and ${passwordVersion(sql)} = ${evaluated}
    for no key update`
  return row?.status
}

/**
 * Ends a reservation that has not failed. A successful one clears its group, except for the
 * reservations of others; one that was not evaluated leaves the group unchanged. MERGE rechecks a
 * row that it waited for, so that no concurrent change is lost.
 */
export async function endReservation(
  sql: Queryable,
  { emailHash, deviceId, reservationId }: AttemptReservation,
  { succeeded }: { succeeded: boolean },
): Promise<void> {
  await sql`
    merge into login_counters counter
    using (select ${emailHash}::bytea as address_hash, ${deviceId}::uuid as device_id) claim
    on counter.address_hash = claim.address_hash and counter.device_id = claim.device_id
    when matched and (${succeeded} or counter.tries = 0) and ${liveReservations(sql)} - ${reservationId}::text = '{}'
      then delete
    when matched then update set
      claims = counter.claims - ${reservationId}::text,
      tries = case when ${succeeded} then 0 else counter.tries end,
      locked_at = case when ${succeeded} then null else counter.locked_at end`
}

/**
 * Turns a granted reservation into a failure. An attempt of a locked group costs the same write,
 * and its row stays unchanged.
 */
export async function countFailure(
  sql: Queryable,
  { emailHash, deviceId, reservationId, state }: AttemptReservation,
  windowSeconds: number,
): Promise<void> {
  const isOver = sql`counter.window_ends_at <= now()`
  await (state === 'granted'
    ? sql`
      insert into login_counters as counter (address_hash, device_id, tries, window_ends_at)
      values (${emailHash}, ${deviceId}, 1, now() + make_interval(secs => ${windowSeconds}))
      on conflict (address_hash, device_id) do update set
        tries = case when ${isOver} then 1 else counter.tries + 1 end,
        claims = counter.claims - ${reservationId}::text,
        locked_at = null,
        window_ends_at = excluded.window_ends_at
      where ${isOver} or counter.locked_at is null`
    : sql`
      update login_counters set tries = tries where address_hash = ${emailHash} and device_id = ${deviceId}`)
}

/**
 * Starts the lockout where the attempts are used up, once for several concurrent failures.
 *
 * @returns the end of the lockout, to the failure that started it
 */
export async function startLockoutWhenUsedUp(
  sql: Queryable,
  { emailHash, deviceId }: AttemptGroup,
  { maxAttempts, lockoutSeconds }: { maxAttempts: number; lockoutSeconds: number },
): Promise<Date | undefined> {
  const [row] = await sql<[{ until: Date }?]>`
    update login_counters set locked_at = now(), window_ends_at = now() + make_interval(secs => ${lockoutSeconds})
    where address_hash = ${emailHash} and device_id = ${deviceId} and tries >= ${maxAttempts} and locked_at is null
    returning window_ends_at as until`
  return row?.until
}

/** Ends the lockout of an address for all devices. @returns whether anything was counted */
export async function clearAttempts(
  sql: Queryable,
  email: string,
  subject: AttemptSubject,
): Promise<boolean> {
  const rows = await sql`
    delete from login_counters where address_hash = ${hashOfEmail(sql, sql`${email}`, subject)} returning device_id`
  return rows.length > 0
}
