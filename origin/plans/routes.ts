import { Hono } from 'hono'
import type { PlanCatalogue, PlansResponse } from '../../shared/contract.ts'
import type { Sql } from '../db/types.ts'
import type { OriginEnv } from '../http/request-context.ts'
import { planResponse } from './plan-response.ts'
import { selectNames, selectPlans } from './queries.ts'

/** The price list, for anybody. */
export function createPlanRoutes({ sql }: { sql: Sql }) {
  const routes = new Hono<OriginEnv>()
  routes.get('/plans', async (c) => {
    const plans = (await selectPlans(sql)).map(planResponse)
    return c.json({ plans } satisfies PlansResponse, 200, { 'cache-control': 'public, max-age=60' })
  })
  return routes
}

/**
 * What gateways keep of it, to say which plan has a feature and whether a row of the policy asks
 * for what there is.
 */
export function createPlanCatalogueRoutes({ sql }: { sql: Sql }) {
  const routes = new Hono<OriginEnv>()
  routes.get('/plans', async (c) => {
    const plans = (await selectPlans(sql)).map(({ name, rank, features }) => ({ name, rank, features }))
    return c.json({ plans, ...(await selectNames(sql)) } satisfies PlanCatalogue)
  })
  return routes
}
