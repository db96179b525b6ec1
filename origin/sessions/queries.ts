import type { Acr } from '../../shared/auth/claims.ts'
import type { EpochSeconds } from '../../shared/lib/time.ts'
import type { Queryable } from '../db/types.ts'
import { type Entitlements, entitlementColumns, entitlementTables } from '../entitlements/queries.ts'
import type { RequestContext } from '../http/request-context.ts'
import { publishSessionsOnCommit } from '../revocations/after-commit.ts'
import { atEpochMs } from '../revocations/queries.ts'

/** A session and its account. */
export interface SessionOwner {
  userId: string
  sessionId: string
}

/** How a user was authenticated: methods (RFC 8176), and the level that they reached. */
export interface Authentication {
  amr: readonly string[]
  acr: Acr
  /** By default now. */
  authTime?: EpochSeconds
}

/** The authentication of a session, and when it was. */
export interface SessionAuthentication extends Authentication {
  authTime: EpochSeconds
  secondsSinceAuthTime: number
}

export interface SessionWithEntitlements extends SessionOwner, SessionAuthentication, Entitlements {
  /**
   * Lifetime of the session without another refresh: until the earlier of its idle and its absolute
   * limit.
   */
  sessionSecondsLeft: number
}

/** Stored with the session. `account_locked`: an admin or an import disabled the account. */
export type SessionEndReason =
  | 'logout'
  | 'logout_everywhere'
  | 'ended_by_user'
  | 'refresh_reused'
  | 'session_limit'
  | 'password_changed'
  | 'password_reset'
  | 'account_locked'
  | 'ended_by_admin'

interface NewSession {
  userId: string
  /** Absolute limit: no refresh extends it. */
  lifeSeconds: number
  authentication: Authentication
  context: RequestContext
}

/**
 * Columns of a session's authentication. Code of schema 25 opens sessions without
 * `authenticated_at`.
 */
const authenticationColumns = (sql: Queryable, session: ReturnType<Queryable>) => sql`
  ${session}.amr, ${session}.acr, coalesce(${session}.authenticated_at, ${session}.created_at) as authenticated_at`

/** Members of `SessionAuthentication`, from `authenticationColumns`. */
const authenticationMembers = (sql: Queryable, from: ReturnType<Queryable>) => sql`
  ${from}.amr, ${from}.acr,
  floor(extract(epoch from ${from}.authenticated_at))::float8 as "authTime",
  extract(epoch from clock_timestamp() - ${from}.authenticated_at)::float8 as "secondsSinceAuthTime"`

type OpenedSession = SessionAuthentication & { sessionId: string }

export async function insertSession(sql: Queryable, session: NewSession): Promise<OpenedSession> {
  const { userId, lifeSeconds, authentication, context } = session
  const [row] = await sql<[OpenedSession]>`
    with opened as (
      insert into sessions (user_id, ip, user_agent, expires_at, amr, acr, authenticated_at)
      values (${userId}, ${context.ip}, ${context.userAgent}, now() + make_interval(secs => ${lifeSeconds}),
        ${[...authentication.amr]}::text[], ${authentication.acr},
        coalesce(to_timestamp(${authentication.authTime ?? null}), now()))
      returning id, amr, acr, authenticated_at
    )
    select id as "sessionId", ${authenticationMembers(sql, sql`opened`)} from opened`
  return row
}

/**
 * Locks the row of a session until the transaction ends. The caller has locked
 * the account's row: in another order it and a login that ends the session would wait for each
 * other.
 *
 * @returns whether it is live
 */
export async function lockLiveSessionForUpdate(
  sql: Queryable,
  { userId, sessionId }: SessionOwner,
): Promise<boolean> {
  const { count } = await sql`
    select from sessions
    where id = ${sessionId} and user_id = ${userId} and ended_at is null and expires_at > now()
    for no key update`
  return count === 1
}

/**
 * Sets how a session was authenticated, now. Later tokens of its chain say so. The caller has
 * locked its row.
 */
export async function updateSessionAuthentication(
  sql: Queryable,
  { userId, sessionId }: SessionOwner,
  { amr, acr }: Authentication,
): Promise<SessionWithEntitlements> {
  const [row] = await sql<[SessionWithEntitlements]>`
    with raised as (
      update sessions set amr = ${[...amr]}::text[], acr = ${acr}, authenticated_at = now()
      where id = ${sessionId} and user_id = ${userId}
      returning id, user_id, expires_at, amr, acr, authenticated_at
    ),
    chain as (
      select max(tokens.expires_at) as expires_at
      from tokens join raised on raised.id = tokens.session_id
      where tokens.spent_at is null
    )
    select raised.user_id as "userId", raised.id as "sessionId",
      ${secondsLeft(sql, sql`least(raised.expires_at, chain.expires_at)`)} as "sessionSecondsLeft",
      ${authenticationMembers(sql, sql`raised`)}, ${entitlementColumns(sql)}
    from raised cross join chain
    join user_accounts account on account.id = raised.user_id ${entitlementTables(sql)}`
  return row
}

/**
 * Lowers the sessions of an account to one factor, as when its second one is gone.
 *
 * @param keptSessionId a session that stays as it is
 * @returns whether a session was lowered: tokens of it still say that it has two
 */
export async function lowerSessionsToAal1(
  sql: Queryable,
  userId: string,
  keptSessionId: string | null = null,
): Promise<boolean> {
  const { count } = await sql`
    update sessions set acr = 'aal1'
    where user_id = ${userId} and ended_at is null and acr <> 'aal1'
      and id is distinct from ${keptSessionId}::uuid`
  return count > 0
}

interface NewRefreshToken {
  hash: Uint8Array
  /**
   * Idle limit: the chain ends without a refresh for this long. It does not extend the session.
   */
  lifeSeconds: number
  context: RequestContext
}

const secondsLeft = (sql: Queryable, expiresAt: ReturnType<Queryable>) =>
  sql`extract(epoch from ${expiresAt} - clock_timestamp())::float8`

/** @returns lifetime of the session without another refresh */
export async function insertRefreshToken(
  sql: Queryable,
  sessionId: string,
  token: NewRefreshToken,
): Promise<number> {
  const [row] = await sql<[{ seconds: number }]>`
    insert into tokens (kind, user_id, session_id, token_hash, ip, user_agent, expires_at)
    select 'refresh', user_id, id, ${token.hash}, ${token.context.ip}, ${token.context.userAgent},
      least(now() + make_interval(secs => ${token.lifeSeconds}), expires_at)
    from sessions where id = ${sessionId}
    returning ${secondsLeft(sql, sql`expires_at`)} as seconds`
  return row.seconds
}

/**
 * Spends a live token of a live session, stores its successor and selects the entitlements, in one
 * round trip. The WHERE settles the race: one of several concurrent requests spends the token.
 *
 * The grace window begins at `spent_at`, so that is the time after the wait for the session's row,
 * which comes first. With the statement's own time a lock or a slow database would use the window
 * up before the token is spent, and the client's retry would count as reuse.
 *
 * @returns undefined where the token is unknown, spent or expired, its session has ended or its
 * account is disabled
 */
export async function rotateRefreshToken(
  sql: Queryable,
  hash: Uint8Array,
  successor: NewRefreshToken,
): Promise<SessionWithEntitlements | undefined> {
  const [row] = await sql<[SessionWithEntitlements?]>`
    with live as (
      update sessions set last_used_at = now()
      from tokens join user_accounts account on account.id = tokens.user_id
      where tokens.token_hash = ${hash} and tokens.kind = 'refresh'
        and tokens.spent_at is null and tokens.expires_at > now()
        and sessions.id = tokens.session_id and sessions.ended_at is null and sessions.expires_at > now()
        and account.status = 'active'
      returning sessions.id, sessions.user_id, sessions.expires_at, ${authenticationColumns(sql, sql`sessions`)},
        tokens.id as token_id
    ),
    spent as (
      update tokens set spent_at = clock_timestamp()
      from live
      where tokens.id = live.token_id and tokens.spent_at is null
      returning live.id, live.user_id, live.expires_at, live.amr, live.acr, live.authenticated_at
    ),
    successor as (
      insert into tokens (kind, user_id, session_id, token_hash, ip, user_agent, expires_at)
      select 'refresh', user_id, id, ${successor.hash}, ${successor.context.ip}, ${successor.context.userAgent},
        least(now() + make_interval(secs => ${successor.lifeSeconds}), expires_at)
      from spent
      returning expires_at
    )
    select spent.user_id as "userId", spent.id as "sessionId",
      ${secondsLeft(sql, sql`successor.expires_at`)} as "sessionSecondsLeft",
      ${authenticationMembers(sql, sql`spent`)}, ${entitlementColumns(sql)}
    from spent cross join successor
    join user_accounts account on account.id = spent.user_id ${entitlementTables(sql)}`
  return row
}

/**
 * The session of a token spent within the grace window: its replay is a retry, not a theft.
 *
 * @returns undefined where the token is no such token, or its successor was derived with another
 * key
 */
export async function selectReplay(
  sql: Queryable,
  {
    hash,
    successorHash,
    graceSeconds,
  }: { hash: Uint8Array; successorHash: Uint8Array; graceSeconds: number },
): Promise<SessionWithEntitlements | undefined> {
  const [row] = await sql<[SessionWithEntitlements?]>`
    select account.id as "userId", session.id as "sessionId",
      ${secondsLeft(sql, sql`least(successor.expires_at, session.expires_at)`)} as "sessionSecondsLeft",
      ${authenticationMembers(sql, sql`authentication`)}, ${entitlementColumns(sql)}
    from tokens
    join sessions session on session.id = tokens.session_id
    cross join lateral (select ${authenticationColumns(sql, sql`session`)}) authentication
    join tokens successor on successor.token_hash = ${successorHash} and successor.session_id = session.id
    join user_accounts account on account.id = session.user_id ${entitlementTables(sql)}
    where tokens.token_hash = ${hash} and tokens.kind = 'refresh'
      and tokens.spent_at > now() - make_interval(secs => ${graceSeconds})
      and session.ended_at is null and session.expires_at > now()
      and account.status = 'active'`
  return row
}

interface CountedReplay {
  /** Since it was spent, or replayed late before this. */
  secondsSinceAnswered: number
  /** Of the session in 24 hours, with this one. */
  lateReplays: number
}

/**
 * Counts a late replay of a token whose successor was never used, and starts its grace window
 * again: two tabs that wake up together are one late replay. The caller has locked the session's
 * row.
 *
 * `budget` bounds the late replays in 24 hours, and those in a row, since a thief may refresh as
 * rarely as the owner. A normal refresh ends a row: the token is then newer than the successor of
 * the last late replay (ids grow along the chain of a session).
 *
 * @returns undefined where the budget is used up, the successor was used, or token, session or
 *   account is no longer valid
 */
export async function countLateReplay(
  sql: Queryable,
  {
    hash,
    successorHash,
    graceSeconds,
    budget,
  }: { hash: Uint8Array; successorHash: Uint8Array; graceSeconds: number; budget: number },
): Promise<CountedReplay | undefined> {
  const [row] = await sql<[CountedReplay?]>`
    with late as (
      select tokens.id, tokens.session_id, tokens.spent_at, successor.id as successor_id,
        before.in_24_hours, before.in_a_row
      from tokens
      join sessions session on session.id = tokens.session_id
      join tokens successor on successor.token_hash = ${successorHash} and successor.session_id = session.id
      join user_accounts account on account.id = session.user_id
      cross join lateral (
        select
          array(select at from unnest(late_replays) at where at > now() - interval '24 hours') as in_24_hours,
          case when tokens.id <= late_successor_id then late_replays_in_a_row else 0 end as in_a_row
      ) before
      where tokens.token_hash = ${hash} and tokens.kind = 'refresh'
        and tokens.spent_at <= now() - make_interval(secs => ${graceSeconds})
        and tokens.expires_at > now()
        and successor.spent_at is null and successor.expires_at > now()
        and session.ended_at is null and session.expires_at > now()
        and account.status = 'active'
        and cardinality(before.in_24_hours) < ${budget} and before.in_a_row < ${budget}
    ),
    counted as (
      update sessions set late_replays = late.in_24_hours || now(),
        late_replays_in_a_row = late.in_a_row + 1, late_successor_id = late.successor_id
      from late
      where sessions.id = late.session_id and ended_at is null
      returning cardinality(late_replays) as replays
    ),
    reopened as (
      update tokens set spent_at = clock_timestamp()
      from late cross join counted
      where tokens.id = late.id
    )
    select extract(epoch from now() - late.spent_at)::integer as "secondsSinceAnswered",
      counted.replays as "lateReplays"
    from late cross join counted`
  return row
}

/** A live session, with the claims of its next token. */
export async function selectLiveSession(
  sql: Queryable,
  { userId, sessionId }: SessionOwner,
): Promise<SessionWithEntitlements | undefined> {
  const [row] = await sql<[SessionWithEntitlements?]>`
    with session as (
      select sessions.id, sessions.user_id, sessions.expires_at, ${authenticationColumns(sql, sql`sessions`)}
      from sessions
      where sessions.id = ${sessionId} and sessions.user_id = ${userId}
        and sessions.ended_at is null and sessions.expires_at > now()
    )
    select account.id as "userId", session.id as "sessionId",
      ${secondsLeft(sql, sql`session.expires_at`)} as "sessionSecondsLeft",
      ${authenticationMembers(sql, sql`session`)}, ${entitlementColumns(sql)}
    from session
    join user_accounts account on account.id = session.user_id ${entitlementTables(sql)}
    where account.status = 'active'`
  return row
}

/** The owner of a refresh token in any state whose session was not ended; it may be expired. */
export async function selectOwner(sql: Queryable, hash: Uint8Array): Promise<SessionOwner | undefined> {
  const [row] = await sql<[SessionOwner?]>`
    select session.user_id as "userId", session.id as "sessionId"
    from tokens join sessions session on session.id = tokens.session_id
    where tokens.token_hash = ${hash} and tokens.kind = 'refresh' and session.ended_at is null`
  return row
}

/** Locks the row of the session, for a change that depends on its tokens. */
export async function lockSessionForUpdate(sql: Queryable, sessionId: string): Promise<void> {
  await sql`select from sessions where id = ${sessionId} for no key update`
}

/** Like `selectOwner`, for a token that was spent or replayed late before the grace window. */
export async function selectReusedOwner(
  sql: Queryable,
  hash: Uint8Array,
  graceSeconds: number,
): Promise<SessionOwner | undefined> {
  const [row] = await sql<[SessionOwner?]>`
    select session.user_id as "userId", session.id as "sessionId"
    from tokens join sessions session on session.id = tokens.session_id
    where tokens.token_hash = ${hash} and tokens.kind = 'refresh' and session.ended_at is null
      and tokens.spent_at <= now() - make_interval(secs => ${graceSeconds})`
  return row
}

interface SessionsToEnd {
  userId: string
  /** The only session to end. */
  only?: string
  /** The session that stays. */
  except?: string
}

/**
 * Ends sessions, expired ones too, and revokes their tokens, in one statement, so that neither
 * commits without the other.
 *
 * @returns the ids of the sessions that ended now
 */
export async function endSessions(
  sql: Queryable,
  { userId, only, except }: SessionsToEnd,
  reason: SessionEndReason,
): Promise<string[]> {
  const rows = await sql<{ subject: string; at: number }[]>`
    with ended as (
      update sessions set ended_at = now(), end_reason = ${reason}
      where user_id = ${userId} and ended_at is null
        and (${only ?? null}::uuid is null or id = ${only ?? null})
        and (${except ?? null}::uuid is null or id <> ${except ?? null})
      returning id
    ),
    revoked as (
      insert into revocations (scope, subject) select 'session', id from ended
      returning subject, ${atEpochMs(sql)}
    )
    select subject, at from revoked`
  return publishSessionsOnCommit(sql, rows)
}

/** Sessions beyond the `keep` that were used last. */
export async function selectSurplusSessions(sql: Queryable, userId: string, keep: number): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    select id from sessions
    where user_id = ${userId} and ended_at is null and expires_at > now()
    order by last_used_at desc, created_at desc
    offset ${keep}`
  return rows.map(({ id }) => id)
}

export interface SessionRow {
  id: string
  ip: string | null
  userAgent: string | null
  createdAt: Date
  lastUsedAt: Date
  expiresAt: Date
  amr: string[]
  /** The level reached at `authenticatedAt`. */
  acr: Acr
  authenticatedAt: Date
}

/**
 * Sessions that have not ended or expired. A session whose last token expired is not live.
 */
export const isLive = (sql: Queryable) => sql`
  ended_at is null and expires_at > now()
  and exists (
    select from tokens
    where tokens.session_id = sessions.id and tokens.spent_at is null and tokens.expires_at > now()
  )`

/** Live sessions, the one used last first. */
export async function selectLiveSessions(sql: Queryable, userId: string): Promise<SessionRow[]> {
  return sql<SessionRow[]>`
    select id, host(ip) as ip, user_agent as "userAgent", created_at as "createdAt", last_used_at as "lastUsedAt",
      expires_at as "expiresAt", amr, acr, coalesce(authenticated_at, created_at) as "authenticatedAt"
    from sessions
    where user_id = ${userId} and ${isLive(sql)}
    order by last_used_at desc`
}
