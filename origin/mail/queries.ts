import type { Queryable } from '../db/types.ts'

interface NewMail {
  recipient: string
  /** null where the mail has no budget. */
  kind: string | null
  /** The network address of the request that caused it. */
  requestedBy: string | null
  subject: string
  encryptedBody: Uint8Array
  /** Of the link that it carries. */
  tokenHash: Uint8Array | null
  /** From then on the mail is not sent. */
  expiresAt: Date | null
}

export async function insertMail(sql: Queryable, mail: NewMail): Promise<void> {
  await sql`
    insert into mail_outbox (recipient, kind, requested_by, subject, sealed_body, token_hash, expires_at)
    values (${mail.recipient}, ${mail.kind}, ${mail.requestedBy}, ${mail.subject}, ${mail.encryptedBody},
      ${mail.tokenHash}, ${mail.expiresAt})`
}

export interface ClaimedMail extends Omit<NewMail, 'tokenHash' | 'expiresAt'> {
  id: string
  /** The mail expired: its row is deleted, and it must not be sent. */
  expired: boolean
  /** Attempts so far, the one it was claimed for included. */
  attempts: number
  ageSeconds: number
}

/**
 * Claims due mails for `leaseSeconds`: no other relay gets them before that, without a lock or a
 * transaction. The attempt is counted here, in advance, so that a mail that crashes its process is
 * not retried for ever. Due mails that have expired are deleted, and returned to be logged.
 */
export async function claimDueMails(
  sql: Queryable,
  { limit, leaseSeconds }: { limit: number; leaseSeconds: number },
): Promise<ClaimedMail[]> {
  const claimed = sql`
    mail_outbox.id, recipient, kind, host(requested_by) as "requestedBy", subject,
    sealed_body as "encryptedBody", attempts, due.expired,
    extract(epoch from now() - created_at)::float8 as "ageSeconds"`
  return sql<ClaimedMail[]>`
    with due as materialized (
      select id, coalesce(expires_at <= now(), false) as expired from mail_outbox
      where next_attempt_at <= now()
      order by next_attempt_at
      limit ${limit}
      for update skip locked
    ),
    dropped as (
      delete from mail_outbox using due
      where mail_outbox.id = due.id and due.expired
      returning ${claimed}
    ),
    claimed as (
      update mail_outbox
      set attempts = attempts + 1, next_attempt_at = now() + make_interval(secs => ${leaseSeconds})
      from due
      where mail_outbox.id = due.id and not due.expired
      returning ${claimed}
    )
    select * from dropped union all select * from claimed`
}

/** Deletes a delivered mail under any claim: it must not be sent again. */
export async function deleteMail(sql: Queryable, id: string): Promise<void> {
  await sql`delete from mail_outbox where id = ${id}`
}

/**
 * Deletes a mail that is not sent, with the link that it carries: an unsent link would count among
 * the live ones of its account. Changes nothing where another relay has claimed the mail since.
 */
export async function dropMail(
  sql: Queryable,
  { id, attempts }: Pick<ClaimedMail, 'id' | 'attempts'>,
): Promise<void> {
  await sql`
    with dropped as (
      delete from mail_outbox where id = ${id} and attempts = ${attempts}
      returning token_hash
    )
    delete from tokens using dropped
    where tokens.token_hash = dropped.token_hash and tokens.spent_at is null`
}

interface FailedAttempt {
  id: string
  attempts: number
  lastError: string
}

/** Changes nothing where another relay has claimed the mail since, which `attempts` tells. */
export async function postponeMail(
  sql: Queryable,
  { id, attempts, lastError, waitSeconds }: FailedAttempt & { waitSeconds: number },
): Promise<void> {
  await sql`
    update mail_outbox
    set last_error = ${lastError}, next_attempt_at = now() + make_interval(secs => ${waitSeconds})
    where id = ${id} and attempts = ${attempts}`
}

/** Keeps a mail that is never due again. */
export async function parkMail(sql: Queryable, { id, attempts, lastError }: FailedAttempt): Promise<void> {
  await sql`
    update mail_outbox set last_error = ${lastError}, next_attempt_at = 'infinity'
    where id = ${id} and attempts = ${attempts}`
}
