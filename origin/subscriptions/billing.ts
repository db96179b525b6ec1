import { createHash } from 'node:crypto'
import type { BillingEventResponse } from '../../shared/contract.ts'
import { lockAccountForUpdate } from '../accounts/queries.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Sql } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import { claimBillingEvent, selectContentHash } from './event-queries.ts'
import { lockPlanId, type Subscription, selectClock } from './queries.ts'
import { replaceSubscription, subscriptionJson } from './replace-subscription.ts'

interface IncomingEvent {
  /** The billing service, within which event ids are unique. */
  clientId: string
  eventId: string
  userId: string
  /** In UTC, with microseconds. */
  occurredAt: string
  subscription: Subscription
}

export type BillingOutcome =
  | { kind: 'applied'; response: BillingEventResponse }
  | { kind: 'unknown_user' | 'unknown_plan' | 'event_conflict' | 'event_outdated' | 'event_ahead' }

export type Billing = ReturnType<typeof createBilling>

/** The allowed difference of clocks. An event further ahead would outdate the following ones. */
const aheadMs = 5 * 60_000

/**
 * Applies the events of billing services, which send them in any order and repeat them until a
 * response.
 */
export function createBilling({ sql }: { sql: Sql }) {
  return {
    /**
     * Applies an event once. A repeated event gets the same response, which depends on the event
     * only.
     */
    async apply(event: IncomingEvent, context: RequestContext): Promise<BillingOutcome> {
      const { clientId, eventId, userId, occurredAt, subscription } = event
      const response = { event_id: eventId, user_id: userId, ...subscriptionJson(subscription) }
      const contentHash = hashOf(response, occurredAt)
      return sql.begin(async (transaction): Promise<BillingOutcome> => {
        if (!(await lockAccountForUpdate(transaction, userId))) return { kind: 'unknown_user' }
        const planId = await lockPlanId(transaction, subscription.plan)
        if (planId === undefined) return { kind: 'unknown_plan' }

        const now = await selectClock(transaction)
        const isAhead = new Date(occurredAt).getTime() > now.getTime() + aheadMs
        const claim = { clientId, eventId, userId, occurredAt, contentHash }
        if (isAhead || !(await claimBillingEvent(transaction, claim))) {
          const first = await selectContentHash(transaction, clientId, eventId)
          if (!first) return { kind: isAhead ? 'event_ahead' : 'event_outdated' }
          // Earlier versions hashed the time to the millisecond.
          const isSame =
            contentHash.equals(first) || hashOf(response, new Date(occurredAt).toISOString()).equals(first)
          return isSame ? { kind: 'applied', response } : { kind: 'event_conflict' }
        }
        const changed = await replaceSubscription(transaction, userId, planId, subscription)
        if (changed) {
          const details = { client_id: clientId, event_id: eventId, ...changed }
          await insertAuditRow(transaction, {
            action: 'subscription.changed',
            actorId: null,
            userId,
            context,
            details,
          })
        }
        return { kind: 'applied', response }
      })
    },
  }
}

const hashOf = (response: BillingEventResponse, occurredAt: string): Buffer =>
  createHash('sha256')
    .update(JSON.stringify([response, occurredAt]))
    .digest()
