import type { Queryable } from '../db/types.ts'

export type EmailTokenKind = 'email_verification' | 'password_reset'

export interface EmailTokenOwner {
  userId: string
  email: string
}

interface NewEmailToken {
  kind: EmailTokenKind
  userId: string
  hash: Uint8Array
  lifeSeconds: number
  /** The most live tokens of this kind. */
  maxLiveTokens: number
}

/** @returns the expiry; undefined where it was not stored */
export async function insertEmailToken(sql: Queryable, token: NewEmailToken): Promise<Date | undefined> {
  const [row] = await sql<[{ expiresAt: Date }?]>`
    insert into tokens (kind, user_id, token_hash, expires_at)
    select ${token.kind}, ${token.userId}, ${token.hash}, now() + make_interval(secs => ${token.lifeSeconds})
    where ${token.maxLiveTokens} > (
      select count(*) from tokens
      where user_id = ${token.userId} and kind = ${token.kind} and spent_at is null and expires_at > now()
    )
    returning expires_at as "expiresAt"`
  return row?.expiresAt
}

/** @returns the owner of a live link */
export async function selectEmailTokenOwner(
  sql: Queryable,
  kind: EmailTokenKind,
  hash: Uint8Array,
): Promise<EmailTokenOwner | undefined> {
  const [row] = await sql<[EmailTokenOwner?]>`
    select account.id as "userId", account.email
    from tokens join user_accounts account on account.id = tokens.user_id
    where token_hash = ${hash} and kind = ${kind} and spent_at is null and expires_at > now()
      and account.status = 'active'`
  return row
}

/** The WHERE settles the race: a link works for one of several concurrent requests. */
export async function spendEmailToken(
  sql: Queryable,
  kind: EmailTokenKind,
  hash: Uint8Array,
): Promise<string | undefined> {
  const [row] = await sql<[{ userId: string }?]>`
    update tokens set spent_at = now()
    where token_hash = ${hash} and kind = ${kind} and spent_at is null and expires_at > now()
    returning user_id as "userId"`
  return row?.userId
}

/** A new password voids all links that reset it. */
export async function spendEmailTokens(sql: Queryable, kind: EmailTokenKind, userId: string): Promise<void> {
  await sql`
    update tokens set spent_at = now()
    where user_id = ${userId} and kind = ${kind} and spent_at is null`
}
