import { Hono } from 'hono'
import { plans as contract, gatewayReports } from '../../shared/contract.ts'
import type { Sql } from '../db/types.ts'
import type { OriginEnv } from '../http/request-context.ts'
import { serve } from '../http/serve.ts'
import { planResponse } from './plan-response.ts'
import { selectNames, selectPlans } from './queries.ts'

/** The public price list. */
export function createPlanRoutes({ sql }: { sql: Sql }) {
  const routes = new Hono<OriginEnv>()
  serve(routes, contract.endpoints.listPlans, async ({ respond }, c) => {
    const plans = (await selectPlans(sql)).map(planResponse)
    c.header('cache-control', 'public, max-age=60')
    return respond({ plans })
  })
  return routes
}

/**
 * The catalogue for gateways, which suggest plans with a feature and check the names in policy
 * rows.
 */
export function createPlanCatalogueRoutes({ sql }: { sql: Sql }) {
  const routes = new Hono<OriginEnv>()
  serve(routes, gatewayReports.endpoints.readPlanCatalogue, async ({ respond }) => {
    const plans = (await selectPlans(sql)).map(({ name, rank, features }) => ({ name, rank, features }))
    return respond({ plans, ...(await selectNames(sql)) })
  })
  return routes
}
