import type { Queryable } from '../db/types.ts'
import type { SessionOwner } from '../sessions/queries.ts'

/** A second factor of an account, as clients name it. */
export type FactorKind = 'totp' | 'recovery_code'

/** The second factors of an account. */
export interface Factors {
  /** When the authenticator app was confirmed; null without one. */
  totpSince: Date | null
  recoveryCodesLeft: number
}

export async function selectFactors(sql: Queryable, userId: string): Promise<Factors> {
  const [row] = await sql<[Factors]>`
    select
      (select created_at from totp_secrets where user_id = ${userId}) as "totpSince",
      (select count(*)::int from recovery_codes where user_id = ${userId} and used_at is null) as "recoveryCodesLeft"`
  return row
}

/** Whether a code of the present factor was presented in a session. */
export async function selectHasSessionPresentedFactor(
  sql: Queryable,
  { userId, sessionId }: SessionOwner,
): Promise<boolean> {
  const rows = await sql`
    select from sessions join totp_secrets using (user_id)
    where sessions.id = ${sessionId} and user_id = ${userId} and sessions.acr = 'aal2'
      and sessions.authenticated_at >= totp_secrets.created_at`
  return rows.length === 1
}

interface StoredTotp {
  encryptedSecret: Uint8Array
  lastStep: number
}

/** @returns undefined without an authenticator app */
export async function selectTotp(sql: Queryable, userId: string): Promise<StoredTotp | undefined> {
  const [row] = await sql<[StoredTotp?]>`
    select encrypted_secret as "encryptedSecret", last_step::float8 as "lastStep"
    from totp_secrets where user_id = ${userId}`
  return row
}

/**
 * Spends the code of a time step. The WHERE settles the race: of several concurrent requests with
 * one code one spends it.
 */
export async function spendTotpStep(
  sql: Queryable,
  userId: string,
  { encryptedSecret, step }: Pick<StoredTotp, 'encryptedSecret'> & { step: number },
): Promise<boolean> {
  const { count } = await sql`
    update totp_secrets set last_step = ${step}
    where user_id = ${userId} and encrypted_secret = ${encryptedSecret} and last_step < ${step}`
  return count === 1
}

/** Whether an unused recovery code has this digest. */
export async function selectIsRecoveryCode(
  sql: Queryable,
  userId: string,
  hash: Uint8Array,
): Promise<boolean> {
  const rows = await sql`
    select from recovery_codes where user_id = ${userId} and code_hash = ${hash} and used_at is null`
  return rows.length === 1
}

/** The WHERE settles the race: a code works for one of several concurrent requests. */
export async function spendRecoveryCode(sql: Queryable, userId: string, hash: Uint8Array): Promise<boolean> {
  const { count } = await sql`
    update recovery_codes set used_at = now()
    where user_id = ${userId} and code_hash = ${hash} and used_at is null`
  return count === 1
}

/** Replaces all codes of an account. */
export async function replaceRecoveryCodes(
  sql: Queryable,
  userId: string,
  hashes: readonly Uint8Array[],
): Promise<void> {
  await sql`delete from recovery_codes where user_id = ${userId}`
  await sql`
    insert into recovery_codes (user_id, code_hash)
    select ${userId}, decode(hash, 'hex')
    from unnest(${hashes.map((hash) => Buffer.from(hash).toString('hex'))}::text[]) as given (hash)`
}

/** Replaces an enrolment that was not confirmed. @returns when the new one expires */
export async function upsertTotpEnrolment(
  sql: Queryable,
  { userId, encrypted, lifeSeconds }: { userId: string; encrypted: Uint8Array; lifeSeconds: number },
): Promise<Date> {
  const [row] = await sql<[{ expiresAt: Date }]>`
    insert into totp_enrolments (user_id, encrypted_secret, expires_at)
    values (${userId}, ${encrypted}, now() + make_interval(secs => ${lifeSeconds}))
    on conflict (user_id) do update set encrypted_secret = excluded.encrypted_secret,
      expires_at = excluded.expires_at, created_at = now()
    returning expires_at as "expiresAt"`
  return row.expiresAt
}

/** @returns the encrypted secret; undefined where there is none, or it has expired */
export async function selectTotpEnrolment(sql: Queryable, userId: string): Promise<Uint8Array | undefined> {
  const [row] = await sql<[{ encrypted: Uint8Array }?]>`
    select encrypted_secret as encrypted from totp_enrolments where user_id = ${userId} and expires_at > now()`
  return row?.encrypted
}

/**
 * Turns an enrolment into the authenticator app of the account, in place of a former one.
 *
 * @param confirmed the encrypted secret of the enrolment that a code has confirmed
 * @param encrypted the same secret, encrypted for its new table
 * @returns false where another request has confirmed or replaced the enrolment
 */
export async function confirmTotpEnrolment(
  sql: Queryable,
  userId: string,
  { confirmed, encrypted, step }: { confirmed: Uint8Array; encrypted: Uint8Array; step: number },
): Promise<boolean> {
  const { count } = await sql`
    with confirmed as (
      delete from totp_enrolments where user_id = ${userId} and encrypted_secret = ${confirmed} returning user_id
    )
    insert into totp_secrets (user_id, encrypted_secret, last_step)
    select user_id, ${encrypted}::bytea, ${step}::bigint from confirmed
    on conflict (user_id) do update set encrypted_secret = excluded.encrypted_secret,
      last_step = excluded.last_step, created_at = now()`
  return count === 1
}

/** @returns whether the account had an authenticator app */
export async function deleteTotp(sql: Queryable, userId: string): Promise<boolean> {
  await sql`delete from totp_enrolments where user_id = ${userId}`
  const { count } = await sql`delete from totp_secrets where user_id = ${userId}`
  return count === 1
}

/** @returns whether the account had codes */
export async function deleteRecoveryCodes(sql: Queryable, userId: string): Promise<boolean> {
  const { count } = await sql`delete from recovery_codes where user_id = ${userId}`
  return count > 0
}
