import type { PlanResponse } from '../../shared/contract.ts'
import type { Plan } from './queries.ts'

/** The public form of a plan. */
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
