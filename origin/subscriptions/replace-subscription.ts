import type { Transaction } from '../db/types.ts'
import { raiseUserEpoch } from '../entitlements/epochs.ts'
import { insertCurrentSubscription, type Subscription, selectCurrentSubscription } from './queries.ts'

/**
 * Makes a subscription the current one of an account that the transaction holds; tokens made from
 * the one before are stale at once.
 *
 * @returns what was and what is, for the audit row; undefined where it is so already
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

/** As JSON has it. */
export function subscriptionJson(subscription: Subscription) {
  return {
    plan: subscription.plan,
    status: subscription.status,
    period_starts_at: subscription.periodStartedAt.toISOString(),
    period_ends_at: subscription.periodEndsAt?.toISOString() ?? null,
    cancel_at_period_end: subscription.cancelAtPeriodEnd,
  }
}
