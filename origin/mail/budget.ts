import { createHash } from 'node:crypto'
import { addressKey } from '../../shared/http/address-key.ts'
import type { RecordRejection } from '../limits/rejection-log.ts'
import type { WindowCounter } from '../limits/window-counter.ts'

/** The limits of mails, in the order in which a mail is counted. */
const order = ['sender', 'recipient', 'domain'] as const

export type MailLimits = Record<(typeof order)[number], Pick<WindowCounter, 'name' | 'consume'>>

interface BudgetedMail {
  recipient: string
  /** null where the mail has no budget. */
  kind: string | null
  /** The network address of the request that caused it; null where it is not known. */
  requestedBy: string | null
}

interface MailBudgetOptions {
  limits: MailLimits
  recordRejection: RecordRejection
}

export type MailBudget = ReturnType<typeof createMailBudget>

/**
 * Limits mails by network address, by mailbox and by domain. The relay asks, after the response to
 * the request: neither response nor time tells whether there was a mail, or a budget for it.
 */
export function createMailBudget({ limits, recordRejection }: MailBudgetOptions) {
  return {
    /**
     * Counts a mail. One that its sender may not send does not count against its recipient, so that
     * nobody uses up the budget of others beyond their own.
     *
     * @returns the name of the limit that refuses it
     */
    async spend({ recipient, kind, requestedBy }: BudgetedMail): Promise<string | undefined> {
      if (kind === null) return undefined
      const keys = {
        sender: requestedBy === null ? undefined : addressKey(requestedBy),
        recipient: mailboxOf(recipient),
        domain: domainOf(recipient),
      }
      for (const part of order) {
        const key = keys[part]
        const limit = limits[part]
        if (key === undefined || !(await limit.consume(digest(key)))) continue
        recordRejection({ limit: limit.name, key, method: 'MAIL', route: kind })
        return limit.name
      }
      return undefined
    },
  }
}

/** Stores of counters hold digests, not addresses. */
const digest = (key: string) => createHash('sha256').update(key).digest('base64url')

export const domainOf = (address: string) => address.slice(address.lastIndexOf('@') + 1).toLowerCase()

/** The mailbox behind an address: servers deliver `ada+shop@` to `ada@` (RFC 5233). */
export function mailboxOf(address: string): string {
  const name = address.slice(0, address.lastIndexOf('@')).toLowerCase()
  return `${name.replace(/(?<=.)\+.*$/, '')}@${domainOf(address)}`
}
