import { type Context, Hono } from 'hono'
import { every } from 'hono/combine'
import * as z from 'zod'
import {
  type AdminPlanResponse,
  type FeatureItem,
  planAdministration,
  type QuotaItem,
} from '../../shared/contract.ts'
import { conflictProblem, unknownNamesProblem } from '../catalogue/problems.ts'
import type { Sql } from '../db/types.ts'
import type { RequireStepUp } from '../factors/assurance.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import { serve } from '../http/serve.ts'
import { serveList } from '../http/serve-list.ts'
import * as edits from './plan-edits.ts'
import { planResponse } from './plan-response.ts'
import { type Plan, selectFeaturePage, selectPlanPage } from './queries.ts'
import type { PlanOutcome, PlanService } from './service.ts'

interface PlanAdminOptions {
  sql: Sql
  plans: PlanService
  requireStepUp: RequireStepUp
}

const { adminListPlans, createPlan, changePlan, setPlanFeatures, deletePlan } = planAdministration.endpoints
const { listFeatures, createFeature, updateFeature, deleteFeature } = planAdministration.endpoints
const { listQuotas, changeQuota } = planAdministration.endpoints

const byRank = {
  position: z.tuple([z.int().min(0).max(32_767)]),
  positionOf: ({ rank }: Plan): [number] => [rank],
}
const byName = {
  position: z.tuple([z.string().regex(/^[a-z_]{1,40}$/)]),
  positionOf: ({ name }: FeatureItem): [string] => [name],
  item: (feature: FeatureItem) => feature,
}

const managePlans = requireAuthorization({ permissions: { all: ['subscriptions.manage'] } })

/** Plans, their quotas, and features. */
export function createPlanAdminRoutes({ sql, plans, requireStepUp }: PlanAdminOptions) {
  const routes = new Hono<OriginEnv>()
  /** Changes of what subscribers may do. */
  const changePlans = every(managePlans, requireStepUp('any'))

  /** @throws Problem `not_found`, `validation_failed`, `name_taken`, `tokens_too_large` */
  async function editPlan(c: Context<OriginEnv>, name: string, evaluate: edits.EvaluatePlanEdit) {
    const { sub: actorId } = requireUser(c.get('user'))
    return requirePlan(await plans.edit({ plan: name, actorId, context: c.get('context') }, evaluate))
  }

  /** @throws Problem `not_found`, `name_taken`, `in_use` */
  async function edit(c: Context<OriginEnv>, evaluate: edits.EvaluatePlanEdit) {
    const { sub: actorId } = requireUser(c.get('user'))
    requireDone(await plans.edit({ actorId, context: c.get('context') }, evaluate))
  }

  serveList(routes, adminListPlans, managePlans, { ...byRank, item: adminPlanResponse }, ({ limit, after }) =>
    selectPlanPage(sql, { after: after?.[0] ?? -1, limit }),
  )

  serve(routes, createPlan, changePlans, async ({ body, respond }, c) => {
    const { name, title, currency, features, rank } = body
    const plan = {
      name,
      title,
      currency,
      features,
      priceCentsPerMonth: body.price_cents_per_month,
      apiQuotaPerHour: body.api_quota_per_hour,
    }
    return respond(adminPlanResponse(await editPlan(c, name, edits.createPlan(plan, rank))))
  })

  serve(routes, changePlan, changePlans, async ({ params: { name }, body, respond }, c) => {
    const change = {
      title: body.title,
      priceCentsPerMonth: body.price_cents_per_month,
      apiQuotaPerHour: body.api_quota_per_hour,
    }
    return respond(adminPlanResponse(await editPlan(c, name, edits.changePlan(name, change))))
  })

  serve(routes, setPlanFeatures, changePlans, async ({ params: { name }, body, respond }, c) =>
    respond(adminPlanResponse(await editPlan(c, name, edits.setPlanFeatures(name, body.features)))),
  )

  serve(routes, deletePlan, managePlans, async ({ params: { name }, respond }, c) => {
    await edit(c, edits.removePlan(name))
    return respond()
  })

  serveList(routes, listFeatures, managePlans, byName, ({ limit, after }) =>
    selectFeaturePage(sql, { after: after?.[0] ?? '', limit }),
  )

  serve(routes, createFeature, managePlans, async ({ body, respond }, c) => {
    await edit(c, edits.createFeature(body))
    return respond(body)
  })

  serve(routes, updateFeature, managePlans, async ({ params: { name }, body, respond }, c) => {
    const feature = { name, description: body.description }
    await edit(c, edits.changeFeature(feature))
    return respond(feature)
  })

  serve(routes, deleteFeature, managePlans, async ({ params: { name }, respond }, c) => {
    await edit(c, edits.removeFeature(name))
    return respond()
  })

  serveList(routes, listQuotas, managePlans, { ...byRank, item: quotaItem }, ({ limit, after }) =>
    selectPlanPage(sql, { after: after?.[0] ?? -1, limit }),
  )

  serve(routes, changeQuota, changePlans, async ({ params: { plan }, body, respond }, c) => {
    const change = { apiQuotaPerHour: body.api_quota_per_hour }
    return respond(quotaItem(await editPlan(c, plan, edits.changePlan(plan, change))))
  })

  return routes
}

function adminPlanResponse(plan: Plan): AdminPlanResponse {
  return { ...planResponse(plan), rank: plan.rank }
}

const quotaItem = ({ name, title, apiQuotaPerHour }: Plan): QuotaItem => ({
  plan: name,
  title,
  api_quota_per_hour: apiQuotaPerHour,
})

/** @throws Problem */
function requireDone(outcome: PlanOutcome): Plan | undefined {
  switch (outcome.kind) {
    case 'done':
      return outcome.plan
    case 'unknown_features':
      throw unknownNamesProblem('features', outcome.positions)
    default:
      throw conflictProblem(outcome)
  }
}

/** @throws Problem */
function requirePlan(outcome: PlanOutcome): Plan {
  const plan = requireDone(outcome)
  if (!plan) throw conflictProblem({ kind: 'unknown_item' })
  return plan
}
