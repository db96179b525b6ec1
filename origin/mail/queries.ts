import type { Queryable } from '../database.ts'

interface NewMail {
  recipient: string
  subject: string
  sealedBody: Uint8Array
}

export async function insertMail(sql: Queryable, mail: NewMail): Promise<void> {
  await sql`
    insert into mail_outbox (recipient, subject, sealed_body)
    values (${mail.recipient}, ${mail.subject}, ${mail.sealedBody})`
}

export interface ClaimedMail extends NewMail {
  id: string
  /** Tries so far, the one it was claimed for included. */
  attempts: number
  ageSeconds: number
}

/**
 * Takes due mails for `leaseSeconds`: nobody else is given them before that, and no lock or transaction is held meanwhile. The
 * try is counted here, before it is made, so that a mail that brings its process down is not tried for ever.
 */
export async function claimDueMails(
  sql: Queryable,
  { limit, leaseSeconds }: { limit: number; leaseSeconds: number },
): Promise<ClaimedMail[]> {
  return sql<ClaimedMail[]>`
    with due as materialized (
      select id from mail_outbox
      where next_attempt_at <= now()
      order by next_attempt_at
      limit ${limit}
      for update skip locked
    )
    update mail_outbox
    set attempts = attempts + 1, next_attempt_at = now() + make_interval(secs => ${leaseSeconds})
    from due
    where mail_outbox.id = due.id
    returning mail_outbox.id, recipient, subject, sealed_body as "sealedBody", attempts,
      extract(epoch from now() - created_at)::float8 as "ageSeconds"`
}

/** Whoever holds the claim by now: the mail has gone, and must not go again. */
export async function deleteMail(sql: Queryable, id: string): Promise<void> {
  await sql`delete from mail_outbox where id = ${id}`
}

interface FailedTry {
  id: string
  attempts: number
  lastError: string
}

/** Changes nothing where another relay has claimed the mail since, which `attempts` tells. */
export async function postponeMail(
  sql: Queryable,
  { id, attempts, lastError, waitSeconds }: FailedTry & { waitSeconds: number },
): Promise<void> {
  await sql`
    update mail_outbox
    set last_error = ${lastError}, next_attempt_at = now() + make_interval(secs => ${waitSeconds})
    where id = ${id} and attempts = ${attempts}`
}

/** The mail is never due again, and stays. */
export async function parkMail(sql: Queryable, { id, attempts, lastError }: FailedTry): Promise<void> {
  await sql`
    update mail_outbox set last_error = ${lastError}, next_attempt_at = 'infinity'
    where id = ${id} and attempts = ${attempts}`
}
