import { foldedEmail } from '../db/folded-email.ts'
import type { Queryable } from '../db/types.ts'
import { entitlementColumns, entitlementTables } from '../entitlements/queries.ts'

/** An account with its entitlements at `asOf`. */
export interface AccountState {
  id: string
  email: string
  displayName: string | null
  status: 'active' | 'disabled'
  emailVerified: boolean
  role: string
  level: number
  permissions: string[]
  plan: string
  features: string[]
  /** API requests an hour. */
  quota: number
  createdAt: Date
  asOf: Date
}

/** Selects the accounts with these ids, or the one with this address in any letter case. */
export type AccountSelector = { ids: readonly string[] } | { email: string }

/** Accounts as of the last refresh of the views. */
export async function selectRefreshedAccounts(
  sql: Queryable,
  wanted: AccountSelector,
): Promise<AccountState[]> {
  return sql<AccountState[]>`
    select account.user_id as id, account.email, account.display_name as "displayName", account.status,
      account.email_verified as "emailVerified", account.role, account.level, granted.permissions, account.plan,
      included.features, account.quota, account.created_at as "createdAt", view_refreshes.as_of as "asOf"
    from mv_users_with_subscription account
    join mv_user_permissions granted on granted.user_id = account.user_id
    join mv_user_features included on included.user_id = account.user_id
    cross join view_refreshes
    where ${
      'ids' in wanted
        ? sql`account.user_id = any(${[...wanted.ids]}::uuid[])`
        : sql`${foldedEmail(sql, sql`account.email`)} = ${foldedEmail(sql, wanted.email)}`
    }`
}

/** Accounts as of now, from the base tables. */
export async function selectLiveAccounts(sql: Queryable, wanted: AccountSelector): Promise<AccountState[]> {
  return sql<AccountState[]>`
    select account.id, account.display_name as "displayName", account.status,
      account.email_verified_at is not null as "emailVerified", account.created_at as "createdAt",
      now() as "asOf", ${entitlementColumns(sql)}
    from user_accounts account ${entitlementTables(sql)}
    where ${
      'ids' in wanted
        ? sql`account.id = any(${[...wanted.ids]}::uuid[])`
        : sql`${foldedEmail(sql, sql`account.email`)} = ${foldedEmail(sql, wanted.email)}`
    }`
}
