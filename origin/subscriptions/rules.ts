import type { SubscriptionResponse } from '../../shared/contract.ts'
import type { Plan } from '../plans/queries.ts'
import type { Subscription } from './queries.ts'

/** How a subscription stands. A period that has passed lapses an active one and nothing else. */
export function subscriptionStatus(
  subscription: (Pick<Subscription, 'status'> & { lapsed: boolean }) | undefined,
): SubscriptionResponse['status'] {
  if (!subscription) return 'none'
  return subscription.status === 'active' && subscription.lapsed ? 'lapsed' : subscription.status
}

/** Every dearer plan, and what it would add. */
export function upgradesFrom(current: Plan, plans: readonly Plan[]) {
  return plans
    .filter(({ rank }) => rank > current.rank)
    .map((plan) => ({
      plan,
      adds: plan.features.filter((feature) => !current.features.includes(feature)),
    }))
}
