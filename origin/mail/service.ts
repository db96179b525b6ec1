import type { Queryable } from '../db/types.ts'
import type { Message, Messages } from './messages.ts'
import type { MailCause, Outbox } from './outbox.ts'
import type { Relay } from './relay.ts'

/**
 * The mail interface of services: enqueue in the transaction of the cause, nudge after the commit.
 */
export interface Mail {
  messages: Messages
  enqueue: (transaction: Queryable, to: string, message: Message, cause?: MailCause) => Promise<void>
  wake: () => void
}

export function createMail(messages: Messages, outbox: Outbox, relay: Pick<Relay, 'wake'>): Mail {
  return {
    messages,
    enqueue: (transaction, to, message, cause) => outbox.enqueue(transaction, { to, message, ...cause }),
    wake: relay.wake,
  }
}
