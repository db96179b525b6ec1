import { insertAuditRow } from '../audit/queries.ts'
import type { Client } from '../caller.ts'
import type { Sql } from '../database.ts'
import { changeSubscription } from './change.ts'
import { holdSubscriber, type Subscription, selectPlanId } from './queries.ts'

interface Booking {
  userId: string
  plan: string
  periodEndsAt: Date | null
  actorId: string
}

export type BookingOutcome =
  | { outcome: 'booked'; subscription: Subscription }
  | { outcome: 'unknown_user' | 'unknown_plan' | 'period_is_over' }

export type SubscriptionService = ReturnType<typeof createSubscriptionService>

export function createSubscriptionService({ sql }: { sql: Sql }) {
  return {
    /** Gives somebody a plan from now on, by the hand of a person. What a billing service tells later replaces it. */
    async book({ userId, plan, periodEndsAt, actorId }: Booking, client: Client): Promise<BookingOutcome> {
      return sql.begin(async (transaction): Promise<BookingOutcome> => {
        const now = await holdSubscriber(transaction, userId)
        if (!now) return { outcome: 'unknown_user' }
        const planId = await selectPlanId(transaction, plan)
        if (planId === undefined) return { outcome: 'unknown_plan' }
        if (periodEndsAt && periodEndsAt <= now) return { outcome: 'period_is_over' }
        const subscription: Subscription = {
          plan,
          status: 'active',
          periodStartedAt: now,
          periodEndsAt,
          cancelAtPeriodEnd: false,
        }
        const changed = await changeSubscription(transaction, userId, planId, subscription)
        if (changed) {
          await insertAuditRow(transaction, {
            action: 'subscription.changed',
            actorId,
            userId,
            client,
            details: changed,
          })
        }
        return { outcome: 'booked', subscription }
      })
    },
  }
}
