import type { SubscriptionResponse } from '../../shared/contract.ts'
import type { Plan } from '../plans/queries.ts'
import type { Subscription } from './queries.ts'

/** The status of a subscription. Only an active one lapses when its period ends. */
export function subscriptionStatus(
  subscription: (Pick<Subscription, 'status'> & { lapsed: boolean }) | undefined,
): SubscriptionResponse['status'] {
  if (!subscription) return 'none'
  return subscription.status === 'active' && subscription.lapsed ? 'lapsed' : subscription.status
}

/** Every more expensive plan with the features that it adds. */
export function upgradesFrom(current: Plan, plans: readonly Plan[]) {
  return plans
    .filter(({ rank }) => rank > current.rank)
    .map((plan) => ({
      plan,
      adds: plan.features.filter((feature) => !current.features.includes(feature)),
    }))
}
