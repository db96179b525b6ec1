import { passwordVersion } from '../db/password-version.ts'
import type { Queryable } from '../db/types.ts'

/** Codes that may be tried to finish one login. */
export const challengeTries = 5

/** How long the second factor may take. */
export const challengeSeconds = 300

/** A login whose password was right and whose second factor is due. */
export interface LoginChallenge {
  userId: string
  passwordVersion: string
  /** A device of the cookie that came with the password; null where there was none. */
  deviceId: string | null
}

export async function insertLoginChallenge(
  sql: Queryable,
  hash: Uint8Array,
  { userId, passwordVersion, deviceId }: LoginChallenge,
): Promise<void> {
  await sql`
    insert into login_challenges (token_hash, user_id, password_version, device_id, expires_at)
    values (${hash}, ${userId}, ${passwordVersion}, ${deviceId}, now() + make_interval(secs => ${challengeSeconds}))`
}

/**
 * Reserves one of the tries before a code is evaluated, so that of many concurrent codes no more
 * are evaluated than are left. The WHERE settles the race.
 *
 * @returns undefined where the challenge is unknown, expired, spent or has no try left, or the
 *   account was disabled or has another password
 */
export async function reserveChallengeTry(
  sql: Queryable,
  hash: Uint8Array,
): Promise<LoginChallenge | undefined> {
  const [row] = await sql<[LoginChallenge?]>`
    update login_challenges set tries = tries + 1
    from user_accounts account
    where token_hash = ${hash} and spent_at is null and expires_at > now() and tries < ${challengeTries}
      and account.id = user_id and account.status = 'active' and ${passwordVersion(sql)} = password_version
    returning user_id as "userId", password_version as "passwordVersion", device_id as "deviceId"`
  return row
}

/** Returns the try of a code that was not evaluated. */
export async function returnChallengeTry(sql: Queryable, hash: Uint8Array): Promise<void> {
  await sql`update login_challenges set tries = tries - 1 where token_hash = ${hash} and tries > 0`
}

/** The WHERE settles the race: a challenge opens one session. */
export async function spendLoginChallenge(sql: Queryable, hash: Uint8Array): Promise<boolean> {
  const { count } = await sql`
    update login_challenges set spent_at = now()
    where token_hash = ${hash} and spent_at is null and expires_at > now()`
  return count === 1
}
