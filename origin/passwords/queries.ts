import type { Queryable } from '../db/types.ts'

export interface AccountAddress {
  userId: string
  email: string
}

/** Names the password an account has, by when it was set. Another hash of the same password has the same name. */
export const passwordVersion = (sql: Queryable) => sql`extract(epoch from password_changed_at)::text`

/** Holds the account until the transaction ends, so that links asked for at once are counted one after the other. */
export async function selectActiveAccount(
  sql: Queryable,
  email: string,
): Promise<AccountAddress | undefined> {
  const [row] = await sql<[AccountAddress?]>`
    select id as "userId", email from user_accounts where lower(email) = lower(${email}) and status = 'active'
    for no key update`
  return row
}

/** @returns the new password's version */
export async function updatePassword(sql: Queryable, userId: string, passwordHash: string): Promise<string> {
  const [row] = await sql<[{ version: string }]>`
    update user_accounts set password_hash = ${passwordHash}, password_changed_at = now()
    where id = ${userId}
    returning ${passwordVersion(sql)} as version`
  return row.version
}

/** The same password under a higher cost: nothing the owner would call a change. */
export async function replaceHash(
  sql: Queryable,
  userId: string,
  { from, to }: { from: string; to: string },
): Promise<void> {
  await sql`update user_accounts set password_hash = ${to} where id = ${userId} and password_hash = ${from}`
}
