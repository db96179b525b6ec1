import { type AdminAction, lockBothForUpdate, rejectChange } from '../admin/authority.ts'
import { type AuthorityRejection, evaluateAuthority } from '../admin/rules.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Sql } from '../db/types.ts'
import { recordBooking } from './event-queries.ts'
import { lockPlanId, type Subscription, selectClock } from './queries.ts'
import { replaceSubscription } from './replace-subscription.ts'

interface PlanAssignment {
  plan: string
  periodEndsAt: Date | null
}

export type AssignmentOutcome =
  | { kind: 'booked'; subscription: Subscription }
  | { kind: 'unknown_user' | 'unknown_plan' | 'period_is_over' }
  | { kind: 'rejected'; reason: AuthorityRejection }

export type SubscriptionService = ReturnType<typeof createSubscriptionService>

export function createSubscriptionService({ sql }: { sql: Sql }) {
  return {
    /**
     * Assigns a plan from now on, by an admin with authority over the account. A later billing
     * event replaces it, an earlier one does not.
     */
    async assignPlan(
      change: AdminAction,
      { plan, periodEndsAt }: PlanAssignment,
    ): Promise<AssignmentOutcome> {
      const { userId, actorId, context } = change
      return sql.begin(async (transaction): Promise<AssignmentOutcome> => {
        const { actor, target } = await lockBothForUpdate(transaction, change)
        if (!target) return { kind: 'unknown_user' }
        const verdict = evaluateAuthority(actor, target)
        if (verdict !== 'allowed') {
          await rejectChange(transaction, change, `subscription ${plan}`, verdict)
          return { kind: 'rejected', reason: verdict }
        }
        const now = await selectClock(transaction)
        const planId = await lockPlanId(transaction, plan)
        if (planId === undefined) return { kind: 'unknown_plan' }
        if (periodEndsAt && periodEndsAt <= now) return { kind: 'period_is_over' }
        const subscription: Subscription = {
          plan,
          status: 'active',
          periodStartedAt: now,
          periodEndsAt,
          cancelAtPeriodEnd: false,
        }
        await recordBooking(transaction, userId)
        const changed = await replaceSubscription(transaction, userId, planId, subscription)
        if (changed) {
          await insertAuditRow(transaction, {
            action: 'subscription.changed',
            actorId,
            userId,
            context,
            details: changed,
          })
        }
        return { kind: 'booked', subscription }
      })
    },
  }
}
