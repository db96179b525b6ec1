import { foldedEmail } from '../db/folded-email.ts'
import type { Queryable, Sql, Transaction } from '../db/types.ts'
import type { EmailTokenOwner } from '../email-tokens/queries.ts'

export interface Profile {
  id: string
  email: string
  emailVerified: boolean
  displayName: string | null
  createdAt: Date
}

export async function selectProfile(sql: Sql, userId: string): Promise<Profile | undefined> {
  const [row] = await sql<[Profile?]>`
    select id, email, email_verified_at is not null as "emailVerified", display_name as "displayName",
      created_at as "createdAt"
    from user_accounts
    where id = ${userId}`
  return row
}

/**
 * Selects the account and locks its row until the transaction ends, so that concurrent requests for
 * links are counted one after the other.
 */
export async function selectActiveAccount(
  sql: Queryable,
  email: string,
): Promise<EmailTokenOwner | undefined> {
  const [row] = await sql<[EmailTokenOwner?]>`
    select id as "userId", email from user_accounts where ${foldedEmail(sql, sql`email`)} = ${foldedEmail(sql, email)} and status = 'active'
    for no key update`
  return row
}

/**
 * Selects the account and locks its row, so that concurrent requests do not exceed the limit of
 * live links.
 */
export async function selectUnverifiedAccount(
  sql: Queryable,
  email: string,
): Promise<EmailTokenOwner | undefined> {
  const [row] = await sql<[EmailTokenOwner?]>`
    select id as "userId", email from user_accounts
    where ${foldedEmail(sql, sql`email`)} = ${foldedEmail(sql, email)} and status = 'active' and email_verified_at is null
    for no key update`
  return row
}

export async function updateEmailVerified(sql: Queryable, userId: string): Promise<void> {
  await sql`
    update user_accounts set email_verified_at = now()
    where id = ${userId} and email_verified_at is null`
}

/**
 * Locks the row of an account until the transaction ends, so that the second of two changes sees
 * the first.
 *
 * @returns whether the account exists
 */
export async function lockAccountForUpdate(sql: Transaction, userId: string): Promise<boolean> {
  const { count } = await sql`select from user_accounts where id = ${userId} for no key update`
  return count === 1
}
