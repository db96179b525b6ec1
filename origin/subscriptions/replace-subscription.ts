import type { Transaction } from '../db/types.ts'
import { raiseUserEpoch } from '../entitlements/epochs.ts'
import { insertCurrentSubscription, type Subscription, selectCurrentSubscription } from './queries.ts'

/**
 * Replaces the current subscription of an account whose row the transaction has locked. Tokens made
 * from the former one are stale at once.
 *
 * @returns the former and the new state for the audit row; undefined where nothing changes
 */
export async function replaceSubscription(
  transaction: Transaction,
  userId: string,
  planId: number,
  next: Subscription,
) {
  const current = await selectCurrentSubscription(transaction, userId)
  if (current && JSON.stringify(subscriptionJson(current)) === JSON.stringify(subscriptionJson(next)))
    return undefined
  await insertCurrentSubscription(transaction, userId, planId, next)
  await raiseUserEpoch(transaction, userId)
  return { before: current ? subscriptionJson(current) : null, after: subscriptionJson(next) }
}

/** The JSON form of a subscription. */
export function subscriptionJson(subscription: Subscription) {
  return {
    plan: subscription.plan,
    status: subscription.status,
    period_starts_at: subscription.periodStartedAt.toISOString(),
    period_ends_at: subscription.periodEndsAt?.toISOString() ?? null,
    cancel_at_period_end: subscription.cancelAtPeriodEnd,
  }
}
