import type { Queryable, Transaction } from '../db/types.ts'

export interface BillingEvent {
  clientId: string
  eventId: string
  userId: string
  /** In UTC, with microseconds. */
  occurredAt: string
  /** SHA-256 of the content of the event. */
  contentHash: Uint8Array
}

/**
 * Stores an event before it is applied. The primary key admits one of several with the same id, and
 * none is stored after a later change of the account, whose row the transaction must have locked.
 * Events are ordered by time to the microsecond, then by event id and client id, byte by byte; a
 * booking by an admin is later than all events of its microsecond.
 *
 * @returns whether it was stored now
 */
export async function claimBillingEvent(sql: Transaction, event: BillingEvent): Promise<boolean> {
  // As text: the driver converts timestamps to a Date, which has milliseconds only.
  const occurredAt = sql`${event.occurredAt}::text::timestamptz`
  // Earlier versions stored times from the future, which would outdate every event until then.
  const latest = sql`clock_timestamp() + interval '5 minutes'`
  const rows = await sql`
    insert into billing_events (client_id, event_id, user_id, occurred_at, content_hash)
    select ${event.clientId}, ${event.eventId}, ${event.userId}, ${occurredAt}, ${event.contentHash}
    where not exists (
      select from billing_events
      where user_id = ${event.userId} and occurred_at between ${occurredAt} and ${latest}
        and (occurred_at, event_id collate "C", client_id collate "C")
          > (${occurredAt}, ${event.eventId}::text collate "C", ${event.clientId}::text collate "C")
    )
    and not exists (
      select from subscription_bookings
      where user_id = ${event.userId} and booked_at between ${occurredAt} and ${latest}
    )
    on conflict (client_id, event_id) do nothing
    returning client_id`
  return rows.length > 0
}

/**
 * Records the current time as that of a booking by an admin, for an account whose row is locked.
 */
export async function recordBooking(sql: Transaction, userId: string): Promise<void> {
  await sql`
    insert into subscription_bookings (user_id, booked_at) values (${userId}, clock_timestamp())
    on conflict (user_id) do update set booked_at = excluded.booked_at`
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
