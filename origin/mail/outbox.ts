import { createHash } from 'node:crypto'
import type { Log } from '../../shared/lib/log.ts'
import type { Queryable, Sql } from '../db/types.ts'
import type { Encryption } from '../keys/encryption.ts'
import { domainOf, type MailBudget } from './budget.ts'
import { MailError, type Mailer, mailsAtOnce } from './mailer.ts'
import type { Message } from './messages.ts'
import {
  type ClaimedMail,
  claimDueMails,
  deleteMail,
  dropMail,
  insertMail,
  parkMail,
  postponeMail,
} from './queries.ts'
import { evaluateFailure } from './rules.ts'

/**
 * How long a relay holds a claimed mail: four times the mailer's deadline, so that a slow process
 * keeps its claim.
 */
const leaseSeconds = 120

/** How an attempt to deliver a mail ended. */
export type DeliveryKind = 'delivered' | 'postponed' | 'given_up' | 'expired' | 'over_budget'

/** The cause of a mail that has a budget. */
export interface MailCause {
  /** The network address of the request. */
  requestedBy?: string | null
  /** SHA-256 of the token in its link. */
  tokenHash?: Uint8Array
}

interface OutboxOptions {
  sql: Sql
  encryption: Encryption
  mailer: Pick<Mailer, 'send'>
  budget: MailBudget
  log: Log
  onAttempt?: (kind: DeliveryKind) => void
}

export type Outbox = ReturnType<typeof createOutbox>

/**
 * Mail that cannot be lost: inserted in the transaction of its cause, then delivered with retries.
 *
 * The race we accept: a relay that crashes, stalls for longer than its claim or loses Postgres
 * between delivery and the deletion of the row causes a duplicate. The copy has the same Message-ID
 * and the same link, which works once; the other order would lose mails.
 */
export function createOutbox({ sql, encryption, mailer, budget, log, onAttempt = () => {} }: OutboxOptions) {
  function decryptBody(recipient: string, encryptedBody: Uint8Array): string {
    try {
      return encryption.decrypt(bodyName(recipient), encryptedBody)
    } catch (cause) {
      throw new MailError('the encrypted body cannot be decrypted', 'postponed', { cause })
    }
  }

  async function send({ recipient, subject, encryptedBody }: ClaimedMail): Promise<void> {
    const text = decryptBody(recipient, encryptedBody)
    // Each mail is encrypted with a new nonce, so the digest is an id of this mail.
    const id = createHash('sha256').update(encryptedBody).digest('hex').slice(0, 32)
    await mailer.send({ to: recipient, subject, text, id })
  }

  /** @returns whether the next mail may succeed */
  async function deliver(mail: ClaimedMail): Promise<boolean> {
    const { id, recipient, attempts, ageSeconds, expired } = mail
    if (expired) {
      onAttempt('expired')
      const fields = { mail_id: id, recipient_domain: domainOf(recipient), attempts }
      log.warn({ ...fields, age_seconds: Math.round(ageSeconds) }, 'mail dropped: its link has expired')
      return true
    }
    // Counted once, at its first attempt. A crash between the claim and the count is a mail more.
    const refusedBy = attempts === 1 ? await budget.spend(mail) : undefined
    if (refusedBy !== undefined) {
      await dropMail(sql, mail)
      onAttempt('over_budget')
      const fields = { mail_id: id, recipient_domain: domainOf(recipient), kind: mail.kind, limit: refusedBy }
      log.warn(fields, 'mail dropped: over its budget')
      return true
    }
    try {
      await send(mail)
    } catch (error) {
      if (!(error instanceof MailError)) throw error
      await handleFailure(mail, error)
      return error.kind !== 'outage'
    }
    await deleteMail(sql, id)
    onAttempt('delivered')
    log.debug({ mail_id: id, attempts, age_seconds: Math.round(ageSeconds) }, 'mail delivered')
    return true
  }

  /**
   * A mail that is given up is parked, not deleted: after mending the cause an operator makes it
   * due with `update mail_outbox set next_attempt_at = now() where id = ...`. Upkeep deletes it
   * after a month.
   */
  async function handleFailure({ id, recipient, attempts, ageSeconds }: ClaimedMail, error: MailError) {
    const lastError = error.message
    const verdict = evaluateFailure({ attempts, ageSeconds, kind: error.kind })
    switch (verdict.kind) {
      case 'retry':
        await postponeMail(sql, { id, attempts, lastError, waitSeconds: verdict.waitSeconds })
        onAttempt('postponed')
        log.warn(
          { mail_id: id, attempts, reason: lastError, retry_seconds: verdict.waitSeconds },
          'mail not delivered',
        )
        break
      case 'give_up':
        await parkMail(sql, { id, attempts, lastError })
        onAttempt('given_up')
        log.error(
          { mail_id: id, recipient_domain: domainOf(recipient), attempts, reason: lastError },
          'mail given up',
        )
    }
  }

  return {
    /**
     * Inserts the mail in the caller's transaction, so that it commits with its cause. Nudge the
     * relay after the commit.
     */
    async enqueue(
      transaction: Queryable,
      { to, message, requestedBy = null, tokenHash }: { to: string; message: Message } & MailCause,
    ): Promise<void> {
      await insertMail(transaction, {
        recipient: to,
        kind: message.kind ?? null,
        requestedBy,
        subject: message.subject,
        encryptedBody: encryption.encrypt(bodyName(to), message.text),
        tokenHash: tokenHash ?? null,
        expiresAt: message.expiresAt ?? null,
      })
    },

    /**
     * Delivers due mails until none is left, a whole batch met an outage (thousands of mails would
     * each wait for the timeout) or `signal` aborts. A server that rejects recipients is not down:
     * the next batch follows at once. Replicas may deliver concurrently.
     */
    async deliverDue(signal?: AbortSignal): Promise<void> {
      while (!signal?.aborted) {
        const mails = await claimDueMails(sql, { limit: mailsAtOnce, leaseSeconds })
        if (mails.length === 0) return
        // All deliveries are awaited, even where one throws, so that none is in progress on return.
        const outcomes = await Promise.allSettled(mails.map(deliver))
        for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
        if (!outcomes.some((outcome) => outcome.status === 'fulfilled' && outcome.value)) return
      }
    },
  }
}

/**
 * The name authenticated with a body. No key's name has a colon, so a body does not decrypt as a
 * key. The recipient is part of the name, so that an attacker who can write to the table cannot
 * redirect a reset link.
 */
const bodyName = (recipient: string) => `mail_outbox:${recipient}`
