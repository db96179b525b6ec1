import { Hono } from 'hono'
import { z } from 'zod'
import {
  type AdminPlanResponse,
  changePlanBody,
  type FeatureItem,
  planFeaturesBody,
} from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { Sql } from '../db/types.ts'
import { jsonBody } from '../http/json-body.ts'
import { listQuery, listResponse } from '../http/pagination.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import { planResponse } from './plan-response.ts'
import { type Plan, selectFeaturePage, selectPlanPage } from './queries.ts'
import type { PlanOutcome, PlanService } from './service.ts'

interface PlanAdminOptions {
  sql: Sql
  plans: PlanService
}

const byRank = z.tuple([z.int().min(0).max(32_767)])
const byName = z.tuple([z.string().regex(/^[a-z_]{1,40}$/)])

const managePlans = requireAuthorization({ permissions: { all: ['subscriptions.manage'] } })

export function createPlanAdminRoutes({ sql, plans }: PlanAdminOptions) {
  const routes = new Hono<OriginEnv>()

  routes.get('/plans', managePlans, listQuery({}, byRank), async (c) => {
    const { limit, cursor } = c.req.valid('query')
    const rows = await selectPlanPage(sql, { after: cursor?.[0] ?? -1, limit })
    return listResponse(c, rows, { limit, position: ({ rank }) => [rank], item: adminPlanResponse })
  })

  routes.get('/features', managePlans, listQuery({}, byName), async (c) => {
    const { limit, cursor } = c.req.valid('query')
    const rows = await selectFeaturePage(sql, { after: cursor?.[0] ?? '', limit })
    return listResponse(c, rows, {
      limit,
      position: ({ name }) => [name],
      item: (feature): FeatureItem => feature,
    })
  })

  routes.patch('/plans/:name', managePlans, ...jsonBody(changePlanBody), async (c) => {
    const body = c.req.valid('json')
    const change = {
      title: body.title,
      priceCentsPerMonth: body.price_cents_per_month,
      apiQuotaPerHour: body.api_quota_per_hour,
    }
    const { sub } = requireUser(c.get('user'))
    return c.json(
      adminPlanResponse(changedPlan(await plans.change(c.req.param('name'), change, sub, c.get('context')))),
    )
  })

  routes.put('/plans/:name/features', managePlans, ...jsonBody(planFeaturesBody), async (c) => {
    const { features } = c.req.valid('json')
    const { sub } = requireUser(c.get('user'))
    return c.json(
      adminPlanResponse(
        changedPlan(await plans.setFeatures(c.req.param('name'), features, sub, c.get('context'))),
      ),
    )
  })

  return routes
}

const adminPlanResponse = (plan: Plan): AdminPlanResponse => ({ ...planResponse(plan), rank: plan.rank })

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
