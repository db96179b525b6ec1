import { passwordVersion } from '../db/password-version.ts'
import type { Queryable } from '../db/types.ts'

/** @returns the new password's version */
export async function updatePassword(sql: Queryable, userId: string, passwordHash: string): Promise<string> {
  const [row] = await sql<[{ version: string }]>`
    update user_accounts set password_hash = ${passwordHash}, password_changed_at = now()
    where id = ${userId}
    returning ${passwordVersion(sql)} as version`
  return row.version
}

/**
 * Replaces the hash of the same password by one that is up to date. @returns whether it was still
 * the stored one
 */
export async function replaceHash(
  sql: Queryable,
  userId: string,
  { from, to }: { from: string; to: string },
): Promise<boolean> {
  const { count } = await sql`
    update user_accounts set password_hash = ${to} where id = ${userId} and password_hash = ${from}`
  return count === 1
}
