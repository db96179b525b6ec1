import type { Client } from '../caller.ts'
import type { Queryable } from '../database.ts'

export interface Credentials {
  id: string
  passwordHash: string
  status: 'active' | 'disabled'
}

export async function selectCredentials(sql: Queryable, email: string): Promise<Credentials | undefined> {
  const [row] = await sql<[Credentials?]>`
    select id, password_hash as "passwordHash", status
    from user_accounts
    where lower(email) = lower(${email})`
  return row
}

interface NewAccount {
  email: string
  passwordHash: string
  displayName: string | null
  role: string
}

/** @returns the new account's id, or undefined where the address is taken in any letter case */
export async function insertAccount(sql: Queryable, account: NewAccount): Promise<string | undefined> {
  const [row] = await sql<[{ id: string }?]>`
    insert into user_accounts (email, password_hash, display_name, role_id)
    select ${account.email}, ${account.passwordHash}, ${account.displayName}, id from roles where name = ${account.role}
    on conflict ((lower(email))) do nothing
    returning id`
  return row?.id
}

/** A subscription without an end. */
export async function insertSubscription(sql: Queryable, userId: string, plan: string): Promise<void> {
  await sql`
    insert into user_subscriptions (user_id, plan_id)
    select ${userId}, id from subscription_plans where name = ${plan}`
}

export type LoginOutcome = 'succeeded' | 'unknown_account' | 'wrong_password' | 'account_disabled'

export async function insertLoginAttempt(
  sql: Queryable,
  attempt: { email: string; userId: string | null; outcome: LoginOutcome; client: Client },
): Promise<void> {
  const { email, userId, outcome, client } = attempt
  await sql`
    insert into login_attempts (email, user_id, ip, user_agent, succeeded, reason)
    values (${email}, ${userId}, ${client.ip}, ${client.userAgent}, ${outcome === 'succeeded'},
      ${outcome === 'succeeded' ? null : outcome})`
}

export async function insertSession(
  sql: Queryable,
  session: { userId: string; lifeSeconds: number; client: Client },
): Promise<string> {
  const [row] = await sql<[{ id: string }]>`
    insert into sessions (user_id, ip, user_agent, expires_at)
    values (${session.userId}, ${session.client.ip}, ${session.client.userAgent},
      now() + make_interval(secs => ${session.lifeSeconds}))
    returning id`
  return row.id
}

interface NewRefreshToken {
  userId: string
  sessionId: string
  hash: Uint8Array
  /** Idle limit: the chain ends where nobody refreshes for this long. The session's own end comes no later for it. */
  lifeSeconds: number
  client: Client
}

export async function insertRefreshToken(sql: Queryable, token: NewRefreshToken): Promise<void> {
  await sql`
    insert into tokens (kind, user_id, session_id, token_hash, ip, user_agent, expires_at)
    select 'refresh', ${token.userId}, id, ${token.hash}, ${token.client.ip}, ${token.client.userAgent},
      least(now() + make_interval(secs => ${token.lifeSeconds}), expires_at)
    from sessions where id = ${token.sessionId}`
}

export interface ChainLink {
  userId: string
  sessionId: string
}

/**
 * Spends a live token of a live session. The WHERE settles a race: of two that present one token, one gets the row.
 *
 * @returns undefined where the token is unknown, spent or expired, its session ended or its account disabled
 */
export async function spendRefreshToken(sql: Queryable, hash: Uint8Array): Promise<ChainLink | undefined> {
  const [row] = await sql<[ChainLink?]>`
    with live as (
      update sessions set last_used_at = now()
      where id = (
          select session_id from tokens
          where token_hash = ${hash} and kind = 'refresh' and spent_at is null and expires_at > now()
        )
        and ended_at is null and expires_at > now()
        and exists (select from user_accounts where id = sessions.user_id and status = 'active')
      returning id
    )
    update tokens set spent_at = now()
    from live
    where token_hash = ${hash} and kind = 'refresh' and session_id = live.id
      and spent_at is null and tokens.expires_at > now()
    returning user_id as "userId", session_id as "sessionId"`
  return row
}

/**
 * Ends the session that a refresh token belongs to: on logout whichever token of the chain it is, on reuse only where it was
 * spent before.
 *
 * @returns undefined where the token is unknown, not spent though reuse is the reason, or the session had ended
 */
export async function endSessionOfToken(
  sql: Queryable,
  hash: Uint8Array,
  reason: 'logout' | 'refresh_reused',
): Promise<ChainLink | undefined> {
  const [row] = await sql<[ChainLink?]>`
    update sessions set ended_at = now(), end_reason = ${reason}
    from tokens
    where token_hash = ${hash} and kind = 'refresh' and (${reason} = 'logout' or spent_at is not null)
      and sessions.id = tokens.session_id and ended_at is null
    returning sessions.user_id as "userId", sessions.id as "sessionId"`
  return row
}
