import type { PlanResponse } from '../../shared/contract.ts'
import type { Plan } from './queries.ts'

/** A plan as everybody sees it. */
export function planResponse(plan: Plan): PlanResponse {
  return {
    name: plan.name,
    title: plan.title,
    price_cents_per_month: plan.priceCentsPerMonth,
    currency: plan.currency,
    api_quota_per_hour: plan.apiQuotaPerHour,
    features: plan.features,
  }
}
