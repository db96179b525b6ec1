import type { JsonObject } from '../../shared/contract.ts'
import { foldedEmail } from '../db/folded-email.ts'
import type { Queryable, Sql, Transaction } from '../db/types.ts'
import type { EmailTokenOwner } from '../email-tokens/queries.ts'

export interface Profile {
  id: string
  email: string
  emailVerified: boolean
  displayName: string | null
  createdAt: Date
  /** A language tag (BCP 47). */
  locale: string | null
  /** The name of a time zone (IANA). */
  timeZone: string | null
  /** The user's own, not the product's. */
  metadata: JsonObject
}

const profileColumns = (sql: Queryable) => sql`
  id, email, email_verified_at is not null as "emailVerified", display_name as "displayName",
  created_at as "createdAt", locale, time_zone as "timeZone", user_metadata as metadata`

export async function selectProfile(sql: Sql, userId: string): Promise<Profile | undefined> {
  const [row] = await sql<[Profile?]>`select ${profileColumns(sql)} from user_accounts where id = ${userId}`
  return row
}

/** The members of a profile that its user changes; a member without a value stays. */
export type ProfileChange = Partial<Pick<Profile, 'displayName' | 'locale' | 'timeZone' | 'metadata'>>

/** @returns the profile as it is now; undefined where the account is gone or disabled */
export async function updateProfile(
  sql: Queryable,
  userId: string,
  { displayName, locale, timeZone, metadata }: ProfileChange,
): Promise<Profile | undefined> {
  const columns = {
    ...(displayName !== undefined && { display_name: displayName }),
    ...(locale !== undefined && { locale }),
    ...(timeZone !== undefined && { time_zone: timeZone }),
    ...(metadata !== undefined && { user_metadata: sql.json(metadata) }),
  }
  const [row] = await sql<[Profile?]>`
    update user_accounts set ${sql(columns)} where id = ${userId} and status = 'active'
    returning ${profileColumns(sql)}`
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

/** The metadata of an account. */
export interface AccountMetadata {
  user: JsonObject
  product: JsonObject
}

const metadataColumns = (sql: Queryable) => sql`user_metadata as "user", product_metadata as product`

export async function selectMetadata(sql: Queryable, userId: string): Promise<AccountMetadata | undefined> {
  const [row] = await sql<[AccountMetadata?]>`
    select ${metadataColumns(sql)} from user_accounts where id = ${userId}`
  return row
}

/** @returns undefined where the account does not exist */
export async function updateProductMetadata(
  sql: Queryable,
  userId: string,
  metadata: JsonObject,
): Promise<AccountMetadata | undefined> {
  const [row] = await sql<[AccountMetadata?]>`
    update user_accounts set product_metadata = ${sql.json(metadata)} where id = ${userId}
    returning ${metadataColumns(sql)}`
  return row
}
