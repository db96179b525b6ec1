import type { CatalogueEdit } from '../catalogue/edit.ts'
import { lockCatalogue } from '../catalogue/queries.ts'
import { applyEdit } from '../catalogue/replace.ts'
import type { Sql } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { EvaluatePlanEdit, PlanEdit } from './plan-edits.ts'
import { type Plan, selectPlan } from './queries.ts'

export type PlanOutcome =
  /** With the plan of the change as it is now, if it is there. */
  { kind: 'done'; plan: Plan | undefined } | Exclude<PlanEdit, CatalogueEdit>

interface PlanAction {
  /** The plan that changes; undefined where it is a feature. */
  plan?: string
  actorId: string
  context: RequestContext
}

export type PlanService = ReturnType<typeof createPlanService>

/** Changes of plans and features. One epoch makes the tokens of all subscribers stale. */
export function createPlanService({ sql }: { sql: Sql }) {
  return {
    async edit({ plan, actorId, context }: PlanAction, evaluate: EvaluatePlanEdit): Promise<PlanOutcome> {
      return sql.begin(async (transaction): Promise<PlanOutcome> => {
        const before = await lockCatalogue(transaction)
        const edit = evaluate(before)
        if (edit.kind !== 'edit') return edit
        const outcome = await applyEdit(transaction, before, edit, { actorId, context })
        if (outcome.kind !== 'done') return outcome
        return { kind: 'done', plan: plan === undefined ? undefined : await selectPlan(transaction, plan) }
      })
    },
  }
}
