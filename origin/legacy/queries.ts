import { passwordVersion } from '../db/password-version.ts'
import type { Queryable } from '../db/types.ts'
import type { AccountStatus } from '../lockout/queries.ts'

export interface ImportedAccount {
  id: string
  status: AccountStatus
  emailVerified: boolean
}

/**
 * Locks the account that was imported with this id until the transaction ends, so that it is not
 * disabled in between.
 */
export async function lockImportedAccountForUpdate(
  sql: Queryable,
  externalId: string,
): Promise<ImportedAccount | undefined> {
  const [account] = await sql<[ImportedAccount?]>`
    select id, status, email_verified_at is not null as "emailVerified"
    from user_accounts where external_id = ${externalId}
    for no key update`
  return account
}

/** The version of the password of a locked account, also where the account has none. */
export async function selectPasswordVersion(sql: Queryable, userId: string): Promise<string> {
  const [row] = await sql<[{ version: string }]>`
    select ${passwordVersion(sql)} as version from user_accounts where id = ${userId}`
  return row.version
}

/**
 * Spends a token of a former system. One of several concurrent requests inserts its row; the others
 * wait for the commit.
 *
 * @returns false where the token was spent before
 */
export async function spendLegacyToken(
  sql: Queryable,
  { digest, expiresAt }: { digest: Uint8Array; expiresAt: Date },
): Promise<boolean> {
  const rows = await sql`
    insert into spent_legacy_tokens (token_hash, expires_at) values (${digest}, ${expiresAt})
    on conflict do nothing
    returning token_hash`
  return rows.length > 0
}
