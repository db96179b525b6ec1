import type { JSONValue } from 'postgres'
import { foldedEmail } from '../db/folded-email.ts'
import type { Queryable, Transaction } from '../db/types.ts'
import type { AccountState } from './account.ts'
import type { Catalogue } from './rules.ts'

/** One import at a time writes: two of one file take turns, batch by batch. */
const importLock = '5093127746'

export async function lockImports(sql: Transaction): Promise<void> {
  await sql`select pg_advisory_xact_lock(${importLock})`
}

export async function selectCatalogue(sql: Queryable): Promise<Catalogue> {
  const roles = await sql<{ name: string; id: number; level: number }[]>`select name, id, level from roles`
  const plans = await sql<{ name: string; id: number }[]>`select name, id from subscription_plans`
  return {
    roles: new Map(roles.map(({ name, id, level }) => [name, { id, level }])),
    plans: new Map(plans.map(({ name, id }) => [name, id])),
  }
}

/** The names of the role and the plan of new accounts. */
export async function selectDefaults(sql: Queryable): Promise<{ role: string; plan: string }> {
  const [row] = await sql<[{ role: string; plan: string }]>`
    select role.name as role, plan.name as plan from roles role, subscription_plans plan
    where role.is_default and plan.rank = 0`
  return row
}

interface Key {
  email: string
  externalId: string | null
}

interface Match {
  /** Of the key in its list. */
  position: number
  by: 'externalId' | 'email'
  id: string
}

/** The accounts that have one of the addresses, in any letter case, or of the external ids. */
export async function selectMatches(sql: Queryable, keys: readonly Key[]): Promise<Match[]> {
  const emails = keys.map(({ email }) => email)
  const externalIds = keys.map(({ externalId }) => externalId)
  return sql<Match[]>`
    select (given.position - 1)::int as position, 'email' as by, account.id
    from unnest(${emails}::text[]) with ordinality as given (email, position)
    join user_accounts account on ${foldedEmail(sql, sql`account.email`)} = ${foldedEmail(sql, sql`given.email`)}
    union all
    select (given.position - 1)::int, 'externalId', account.id
    from unnest(${externalIds}::text[]) with ordinality as given (external_id, position)
    join user_accounts account on account.external_id = given.external_id`
}

/** Locks the rows of accounts until the transaction ends. */
export async function lockAccountsForUpdate(sql: Transaction, ids: readonly string[]): Promise<void> {
  await sql`
    select from user_accounts where id = any(${ids as string[]}::uuid[]) order by id for no key update`
}

export interface StoredAccount {
  id: string
  externalId: string | null
  email: string
  emailVerified: boolean
  displayName: string | null
  role: string
  level: number
  status: 'active' | 'disabled'
  metadata: AccountState['metadata']
  passwordHash: string | null
  encryptedTotpSecret: Uint8Array | null
  /** Of the current subscription where it is active. */
  plan: string | null
  periodEndsAt: Date | null
  imported: AccountState | null
}

export async function selectAccounts(sql: Queryable, ids: readonly string[]): Promise<StoredAccount[]> {
  return sql<StoredAccount[]>`
    select account.id, account.external_id as "externalId", account.email,
      account.email_verified_at is not null as "emailVerified", account.display_name as "displayName",
      role.name as role, role.level, account.status, account.product_metadata as metadata,
      account.password_hash as "passwordHash", totp.encrypted_secret as "encryptedTotpSecret",
      plan.name as plan, subscription.period_ends_at as "periodEndsAt", import.imported
    from user_accounts account
    join roles role on role.id = account.role_id
    left join totp_secrets totp on totp.user_id = account.id
    left join user_subscriptions subscription
      on subscription.user_id = account.id and subscription.ended_at is null and subscription.status = 'active'
    left join subscription_plans plan on plan.id = subscription.plan_id
    left join account_imports import on import.user_id = account.id
    where account.id = any(${ids as string[]}::uuid[])`
}

/** An account as it is to be, new or changed. */
export interface AccountRow {
  id: string
  external_id: string | null
  email: string
  email_verified: boolean
  display_name: string | null
  role_id: number
  status: 'active' | 'disabled'
  metadata: AccountState['metadata']
  password_hash: string | null
  /** false: the password stays as it is. */
  sets_password: boolean
}

export interface NewAccountRow extends AccountRow {
  created_at: string | null
  plan_id: number
  period_ends_at: string | null
}

const json = (sql: Queryable, rows: readonly object[]) => sql.json(rows as unknown as JSONValue)

const accountColumns = `id uuid, external_id text, email text, email_verified boolean, display_name text,
  role_id smallint, status text, metadata jsonb, password_hash text, sets_password boolean`

/**
 * Inserts accounts with their subscriptions. A period starts with the account, or a day before its
 * end where that is earlier: the former system's start is not known.
 *
 * @returns the ids of those whose address was still free
 */
export async function insertAccounts(sql: Transaction, rows: readonly NewAccountRow[]): Promise<Set<string>> {
  const inserted = await sql<{ id: string }[]>`
    with given as materialized (
      select *, coalesce(created_at, now()) as since
      from jsonb_to_recordset(${json(sql, rows)}) as given (${sql.unsafe(accountColumns)},
        created_at timestamptz, plan_id smallint, period_ends_at timestamptz)
    ),
    accounts as (
      insert into user_accounts (id, external_id, email, email_verified_at, display_name, role_id, status,
        product_metadata, password_hash, created_at)
      select id, external_id, email, case when email_verified then now() end, display_name, role_id, status,
        metadata, password_hash, since
      from given
      on conflict do nothing
      returning id
    ),
    subscribed as (
      insert into user_subscriptions (user_id, plan_id, period_started_at, period_ends_at)
      select given.id, plan_id, least(since, period_ends_at - interval '1 day'), period_ends_at
      from given join accounts on accounts.id = given.id
    )
    select id from accounts`
  return new Set(inserted.map(({ id }) => id))
}

export async function updateAccounts(sql: Transaction, rows: readonly AccountRow[]): Promise<void> {
  await sql`
    update user_accounts account set
      external_id = given.external_id,
      email = given.email,
      email_verified_at = case when given.email_verified then coalesce(account.email_verified_at, now()) end,
      display_name = given.display_name,
      role_id = given.role_id,
      status = given.status,
      product_metadata = given.metadata,
      password_hash = case when sets_password then given.password_hash else account.password_hash end,
      password_changed_at = case when sets_password then now() else account.password_changed_at end
    from jsonb_to_recordset(${json(sql, rows)}) as given (${sql.unsafe(accountColumns)})
    where account.id = given.id`
}

/** Stores how accounts were imported, for the next import to compare. */
export async function upsertImports(
  sql: Transaction,
  rows: readonly { user_id: string; imported: AccountState }[],
): Promise<void> {
  await sql`
    insert into account_imports (user_id, imported)
    select user_id, imported
    from jsonb_to_recordset(${json(sql, rows)}) as given (user_id uuid, imported jsonb)
    on conflict (user_id) do update set imported = excluded.imported`
}

/** @param rows the encrypted secret in hex; null removes it */
export async function replaceTotpSecrets(
  sql: Transaction,
  rows: readonly { user_id: string; encrypted: string | null }[],
): Promise<void> {
  await sql`
    delete from totp_secrets where user_id = any(${rows.map(({ user_id }) => user_id)}::uuid[])`
  await sql`
    insert into totp_secrets (user_id, encrypted_secret)
    select user_id, decode(encrypted, 'hex')
    from jsonb_to_recordset(${json(sql, rows)}) as given (user_id uuid, encrypted text)
    where encrypted is not null`
}
