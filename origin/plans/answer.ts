import type { PlanAnswer } from '../../shared/contract.ts'
import type { Plan } from './queries.ts'

/** A plan as everybody sees it. */
export function planAnswer(plan: Plan): PlanAnswer {
  return {
    name: plan.name,
    title: plan.title,
    price_cents_per_month: plan.priceCentsPerMonth,
    currency: plan.currency,
    api_quota_per_hour: plan.apiQuotaPerHour,
    features: plan.features,
  }
}
