import type { Queryable, Transaction } from '../database.ts'

export interface BillingEvent {
  clientId: string
  eventId: string
  userId: string
  occurredAt: Date
  /** SHA-256 of what the event says. */
  contentHash: Uint8Array
}

/**
 * Stores an event, which is what entitles to apply it. Of many that bring the same id one stores it, by the key; and none does once a
 * later event was applied to the account, which the transaction has to hold.
 *
 * @returns whether it was stored now
 */
export async function claimBillingEvent(sql: Transaction, event: BillingEvent): Promise<boolean> {
  const rows = await sql`
    insert into billing_events (client_id, event_id, user_id, occurred_at, content_hash)
    select ${event.clientId}, ${event.eventId}, ${event.userId}, ${event.occurredAt}, ${event.contentHash}
    where not exists (
      select from billing_events where user_id = ${event.userId} and occurred_at > ${event.occurredAt}
    )
    on conflict (client_id, event_id) do nothing
    returning client_id`
  return rows.length > 0
}

export async function selectContentHash(
  sql: Queryable,
  clientId: string,
  eventId: string,
): Promise<Uint8Array | undefined> {
  const [row] = await sql<[{ contentHash: Uint8Array }?]>`
    select content_hash as "contentHash" from billing_events
    where client_id = ${clientId} and event_id = ${eventId}`
  return row?.contentHash
}
