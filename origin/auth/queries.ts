import { foldedEmail } from '../db/folded-email.ts'
import { passwordVersion } from '../db/password-version.ts'
import type { Queryable, Transaction } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Device } from '../lockout/device-tokens.ts'
import type { LoginKind } from './rules.ts'

interface NewAccount {
  email: string
  passwordHash: string
  displayName: string | null
  role: string
}

/**
 * No index is named after `on conflict`: a concurrent insert of the same address may be found in
 * either unique index of addresses first.
 *
 * @returns the new account's id, or undefined where the address is taken in any letter case
 */
export async function insertAccount(sql: Queryable, account: NewAccount): Promise<string | undefined> {
  const [row] = await sql<[{ id: string }?]>`
    insert into user_accounts (email, password_hash, display_name, role_id)
    values (${account.email}, ${account.passwordHash}, ${account.displayName},
      (select id from roles where name = ${account.role}))
    on conflict do nothing
    returning id`
  return row?.id
}

/**
 * The owner of a taken address, whose row is locked until the transaction ends; undefined where the
 * owner was notified of such an attempt within a day, so that repeated attempts do not fill the
 * mailbox.
 */
export async function lockUnnotifiedOwnerForUpdate(
  sql: Queryable,
  email: string,
): Promise<{ userId: string; email: string } | undefined> {
  const [account] = await sql<[{ userId: string; email: string }?]>`
    select id as "userId", email from user_accounts where ${foldedEmail(sql, sql`email`)} = ${foldedEmail(sql, email)}
    for no key update`
  if (!account) return undefined
  const told = await sql`
    select from audit_logs
    where user_id = ${account.userId} and action = 'account.registration_refused' and created_at > now() - interval '1 day'
    limit 1`
  return told.length === 0 ? account : undefined
}

/** Role and plan of new accounts, by name. */
interface Defaults {
  role: string
  plan: string
}

/**
 * Selects role and plan of new accounts, and keeps them from being removed until the transaction
 * ends. Where one was removed during the wait for its lock no row is found, and there is another.
 */
export async function lockDefaults(sql: Transaction): Promise<Defaults> {
  const select = () => sql<[Defaults?]>`
    select role.name as role, plan.name as plan from roles role, subscription_plans plan
    where role.is_default and plan.rank = 0
    for key share`
  const [defaults] = await select().then((rows) => (rows[0] ? rows : select()))
  if (!defaults) throw new Error('no role or no plan is that of new accounts')
  return defaults
}

/** Inserts a subscription without an end. */
export async function insertSubscription(sql: Queryable, userId: string, plan: string): Promise<void> {
  await sql`
    insert into user_subscriptions (user_id, plan_id)
    values (${userId}, (select id from subscription_plans where name = ${plan}))`
}

export async function insertLoginAttempt(
  sql: Queryable,
  attempt: { email: string; userId: string | null; kind: LoginKind; context: RequestContext },
): Promise<void> {
  const { email, userId, kind, context } = attempt
  await sql`
    insert into login_attempts (email, user_id, ip, user_agent, succeeded, reason)
    values (${foldedEmail(sql, email)}, ${userId}, ${context.ip}, ${context.userAgent}, ${kind === 'succeeded'},
      ${kind === 'succeeded' ? null : kind})`
}

/**
 * Whether the account of an address knows one of the devices with its current password.
 */
export async function selectIsKnownDevice(
  sql: Queryable,
  email: string,
  devices: readonly Device[],
): Promise<boolean> {
  const claims = devices.map(({ userId, passwordVersion }) => ({ userId, passwordVersion }))
  const [row] = await sql<[{ known: boolean }]>`
    select exists (
      select from user_accounts, jsonb_array_elements(${sql.json(claims)}) device
      where ${foldedEmail(sql, sql`email`)} = ${foldedEmail(sql, email)} and id = (device ->> 'userId')::uuid
        and ${passwordVersion(sql)} = device ->> 'passwordVersion'
    ) as known`
  return row.known
}
