import type { Acr } from '../../shared/auth/claims.ts'
import { createdAt } from '../audit/page.ts'
import { foldedEmail } from '../db/folded-email.ts'
import type { Queryable, Transaction } from '../db/types.ts'
import { entitlementTables } from '../entitlements/queries.ts'
import { type AccountStatus, unknownDevice } from '../lockout/queries.ts'
import { isLive } from '../sessions/queries.ts'

export interface ListedUser {
  id: string
  email: string
  displayName: string | null
  role: string
  status: AccountStatus
  emailVerified: boolean
  createdAt: Date
  /** The row's position in the list. */
  position: string
}

interface UserFilters {
  email_prefix?: string | undefined
  role?: string | undefined
  status?: AccountStatus | undefined
  /** Position of the last row of the previous page. */
  after?: string | undefined
  limit: number
}

const address = (sql: Queryable) => foldedEmail(sql, sql`account.email`)

/** Above every character of an address. */
const lastCharacter = 1_114_111

/**
 * Accounts by address. The prefix is a range of that order: one index serves both, and no character
 * is a pattern.
 */
export async function selectUserPage(sql: Queryable, filters: UserFilters): Promise<ListedUser[]> {
  const { email_prefix: prefix = '', role, status, after = '', limit } = filters
  const roleId = sql`(select id from roles where name = ${role ?? null})`
  return sql<ListedUser[]>`
    select account.id, account.email, account.display_name as "displayName", role.name as role, account.status,
      account.email_verified_at is not null as "emailVerified", account.created_at as "createdAt",
      ${address(sql)} as position
    from user_accounts account join roles role on role.id = account.role_id
    where ${address(sql)} > ${after}
      and ${address(sql)} >= ${foldedEmail(sql, prefix)} and ${address(sql)} < ${foldedEmail(sql, prefix)} || chr(${lastCharacter})
      ${role ? sql`and account.role_id = ${roleId}` : sql``}
      ${status ? sql`and account.status = ${sql.unsafe(`'${status}'`)}` : sql``}
    order by ${role ? sql`account.role_id,` : sql``} ${address(sql)}
    limit ${limit + 1}`
}

export interface User extends Omit<ListedUser, 'position'> {
  level: number
  plan: string
  /** End of the lockout of unknown devices; null without a lockout. */
  lockedUntil: Date | null
}

export async function selectUser(sql: Queryable, userId: string): Promise<User | undefined> {
  const [row] = await sql<[User?]>`
    select account.id, account.email, account.display_name as "displayName", role.name as role, role.level,
      account.status, account.email_verified_at is not null as "emailVerified", account.created_at as "createdAt",
      plan.name as plan,
      (select window_ends_at from login_counters
        where address_hash = sha256(convert_to(${address(sql)}, 'UTF8')) and device_id = ${unknownDevice}
          and locked_at is not null and window_ends_at > now()) as "lockedUntil"
    from user_accounts account ${entitlementTables(sql)}
    where account.id = ${userId}`
  return row
}

export interface AccountForUpdate {
  id: string
  email: string
  role: string
  level: number
  status: AccountStatus
  emailVerified: boolean
}

/**
 * Selects the accounts of a change and of its actor and locks them until the transaction ends,
 * always in one order: two such changes never wait for each other. The locks come first: a
 * statement that waits for one joins the role from before the wait, and misses an account whose
 * role has changed.
 */
export async function lockAccountsForUpdate(
  sql: Transaction,
  ids: readonly string[],
): Promise<Map<string, AccountForUpdate>> {
  await sql`
    select from user_accounts where id = any(${ids as string[]}::uuid[]) order by id for no key update`
  const rows = await sql<AccountForUpdate[]>`
    select account.id, account.email, role.name as role, role.level, account.status,
      account.email_verified_at is not null as "emailVerified"
    from user_accounts account join roles role on role.id = account.role_id
    where account.id = any(${ids as string[]}::uuid[])`
  return new Map(rows.map((row) => [row.id, row]))
}

/** The letter case does not matter. */
export async function selectIdByEmail(sql: Queryable, email: string): Promise<string | undefined> {
  const [row] = await sql<[{ id: string }?]>`
    select id from user_accounts where ${foldedEmail(sql, sql`email`)} = ${foldedEmail(sql, email)}`
  return row?.id
}

export async function updateRole(sql: Queryable, userId: string, role: string): Promise<void> {
  await sql`
    update user_accounts set role_id = (select id from roles where name = ${role}) where id = ${userId}`
}

/** @returns whether the status changed */
export async function updateStatus(sql: Queryable, userId: string, status: AccountStatus): Promise<boolean> {
  const { count } = await sql`
    update user_accounts set status = ${status} where id = ${userId} and status <> ${status}`
  return count === 1
}

export interface ListedSession {
  id: string
  ip: string | null
  userAgent: string | null
  createdAt: string
  lastUsedAt: Date
  expiresAt: Date
  amr: string[]
  acr: Acr
  authenticatedAt: Date
}

/** Live sessions, the newest first. */
export async function selectSessionPage(
  sql: Queryable,
  userId: string,
  { after, limit }: { after: readonly [string, string] | undefined; limit: number },
): Promise<ListedSession[]> {
  return sql<ListedSession[]>`
    select id, host(ip) as ip, user_agent as "userAgent", ${createdAt(sql)} as "createdAt",
      last_used_at as "lastUsedAt", expires_at as "expiresAt", amr, acr,
      coalesce(authenticated_at, created_at) as "authenticatedAt"
    from sessions
    where user_id = ${userId} and ${isLive(sql)}
      ${after ? sql`and (created_at, id) < (${after[0]}::text::timestamptz, ${after[1]}::uuid)` : sql``}
    order by created_at desc, id desc
    limit ${limit + 1}`
}
