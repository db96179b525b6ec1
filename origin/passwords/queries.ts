import type { Queryable } from '../database.ts'

export interface AccountAddress {
  userId: string
  email: string
}

export async function selectActiveAccount(
  sql: Queryable,
  email: string,
): Promise<AccountAddress | undefined> {
  const [row] = await sql<[AccountAddress?]>`
    select id as "userId", email from user_accounts where lower(email) = lower(${email}) and status = 'active'`
  return row
}

export async function updatePassword(sql: Queryable, userId: string, passwordHash: string): Promise<void> {
  await sql`
    update user_accounts set password_hash = ${passwordHash}, password_changed_at = now()
    where id = ${userId}`
}

/** The same password under a higher cost: nothing the owner would call a change. */
export async function replaceHash(
  sql: Queryable,
  userId: string,
  { from, to }: { from: string; to: string },
): Promise<void> {
  await sql`update user_accounts set password_hash = ${to} where id = ${userId} and password_hash = ${from}`
}
