import { Hono } from 'hono'
import { z } from 'zod'
import { type AdminPlanResponse, type FeatureItem, planAdministration } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { Sql } from '../db/types.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import { serve } from '../http/serve.ts'
import { serveList } from '../http/serve-list.ts'
import { planResponse } from './plan-response.ts'
import { type Plan, selectFeaturePage, selectPlanPage } from './queries.ts'
import type { PlanOutcome, PlanService } from './service.ts'

interface PlanAdminOptions {
  sql: Sql
  plans: PlanService
}

const { adminListPlans, changePlan, setPlanFeatures, listFeatures } = planAdministration.endpoints

const byRank = {
  position: z.tuple([z.int().min(0).max(32_767)]),
  positionOf: ({ rank }: Plan): [number] => [rank],
  item: adminPlanResponse,
}
const byName = {
  position: z.tuple([z.string().regex(/^[a-z_]{1,40}$/)]),
  positionOf: ({ name }: FeatureItem): [string] => [name],
  item: (feature: FeatureItem) => feature,
}

const managePlans = requireAuthorization({ permissions: { all: ['subscriptions.manage'] } })

export function createPlanAdminRoutes({ sql, plans }: PlanAdminOptions) {
  const routes = new Hono<OriginEnv>()

  serveList(routes, adminListPlans, managePlans, byRank, ({ limit, after }) =>
    selectPlanPage(sql, { after: after?.[0] ?? -1, limit }),
  )

  serveList(routes, listFeatures, managePlans, byName, ({ limit, after }) =>
    selectFeaturePage(sql, { after: after?.[0] ?? '', limit }),
  )

  serve(routes, changePlan, managePlans, async ({ params: { name }, body, respond }, c) => {
    const change = {
      title: body.title,
      priceCentsPerMonth: body.price_cents_per_month,
      apiQuotaPerHour: body.api_quota_per_hour,
    }
    const { sub } = requireUser(c.get('user'))
    const changed = await plans.change(name, change, sub, c.get('context'))
    return respond(adminPlanResponse(changedPlan(changed)))
  })

  serve(routes, setPlanFeatures, managePlans, async ({ params: { name }, body, respond }, c) => {
    const { sub } = requireUser(c.get('user'))
    const changed = await plans.setFeatures(name, body.features, sub, c.get('context'))
    return respond(adminPlanResponse(changedPlan(changed)))
  })

  return routes
}

function adminPlanResponse(plan: Plan): AdminPlanResponse {
  return { ...planResponse(plan), rank: plan.rank }
}

/** @throws Problem `not_found`, `validation_failed` */
function changedPlan(outcome: PlanOutcome): Plan {
  switch (outcome.kind) {
    case 'changed':
      return outcome.plan
    case 'unknown_plan':
      throw new Problem('not_found')
    case 'unknown_features': {
      const errors = outcome.positions.map((position) => ({
        pointer: `/features/${position}`,
        detail: 'is not the name of a feature',
      }))
      throw new Problem('validation_failed', { members: { errors } })
    }
  }
}
