import { insertAuditRow } from '../audit/queries.ts'
import type { Sql, Transaction } from '../db/types.ts'
import { raisePlanEpoch } from '../entitlements/epochs.ts'
import type { RequestContext } from '../http/request-context.ts'
import {
  lockPlanForUpdate,
  type Plan,
  type PlanChange,
  replacePlanFeatures,
  selectFeatureNames,
  updatePlan,
} from './queries.ts'

export type PlanOutcome =
  | { kind: 'changed'; plan: Plan }
  | { kind: 'unknown_plan' }
  /** Indexes of the names that are no features. */
  | { kind: 'unknown_features'; positions: number[] }

export type PlanService = ReturnType<typeof createPlanService>

/**
 * Changes of plans. One epoch makes the tokens of all subscribers stale.
 */
export function createPlanService({ sql }: { sql: Sql }) {
  async function audit(
    transaction: Transaction,
    action: 'plan.changed' | 'plan.features_changed',
    {
      actorId,
      context,
      before,
      after,
    }: { actorId: string; context: RequestContext; before: Plan; after: Plan },
  ) {
    const details = { plan: before.name, before: auditedPlan(before), after: auditedPlan(after) }
    await insertAuditRow(transaction, { action, actorId, userId: null, context, details })
  }

  return {
    async change(
      name: string,
      change: PlanChange,
      actorId: string,
      context: RequestContext,
    ): Promise<PlanOutcome> {
      return sql.begin(async (transaction) => {
        const before = await lockPlanForUpdate(transaction, name)
        if (!before) return { kind: 'unknown_plan' }
        const after = { ...before, ...withoutUndefined(change) }
        if (sameAs(before, after)) return { kind: 'changed', plan: before }
        await updatePlan(transaction, before.id, change)
        if (before.apiQuotaPerHour !== after.apiQuotaPerHour) await raisePlanEpoch(transaction, name)
        await audit(transaction, 'plan.changed', { actorId, context, before, after })
        return { kind: 'changed', plan: after }
      })
    },

    async setFeatures(
      name: string,
      features: readonly string[],
      actorId: string,
      context: RequestContext,
    ): Promise<PlanOutcome> {
      return sql.begin(async (transaction) => {
        const before = await lockPlanForUpdate(transaction, name)
        if (!before) return { kind: 'unknown_plan' }
        const known = await selectFeatureNames(transaction, features)
        const positions = features.flatMap((feature, index) => (known.includes(feature) ? [] : [index]))
        if (positions.length > 0) return { kind: 'unknown_features', positions }
        const after = { ...before, features: known }
        if (sameAs(before, after)) return { kind: 'changed', plan: before }
        await replacePlanFeatures(transaction, before.id, known)
        await raisePlanEpoch(transaction, name)
        await audit(transaction, 'plan.features_changed', { actorId, context, before, after })
        return { kind: 'changed', plan: after }
      })
    },
  }
}

/** The members of a plan that can change. */
function auditedPlan({ title, priceCentsPerMonth, apiQuotaPerHour, features }: Plan) {
  return {
    title,
    price_cents_per_month: priceCentsPerMonth,
    api_quota_per_hour: apiQuotaPerHour,
    features,
  }
}

const sameAs = (one: Plan, other: Plan) =>
  JSON.stringify(auditedPlan(one)) === JSON.stringify(auditedPlan(other))

/** Fields that were not sent stay unchanged. */
function withoutUndefined(change: PlanChange): Partial<Plan> {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))
}
