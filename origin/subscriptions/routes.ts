import { Hono } from 'hono'
import { plans as contract } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import { upgradeUrl } from '../../shared/http/upgrade-url.ts'
import type { Sql } from '../db/types.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import { serve } from '../http/serve.ts'
import { planResponse } from '../plans/plan-response.ts'
import { selectPlans } from '../plans/queries.ts'
import { selectCurrentSubscription } from './queries.ts'
import { subscriptionStatus, upgradesFrom } from './rules.ts'

interface SubscriptionRoutesOptions {
  sql: Sql
  /** URL of the page to buy a plan. */
  upgradePage: string
}

const readProfile = requireAuthorization({ permissions: { all: ['profile.read'] } })

/** The user's subscription from the database, which may be newer than the token. */
export function createSubscriptionRoutes({ sql, upgradePage }: SubscriptionRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  serve(routes, contract.endpoints.readSubscription, readProfile, async ({ respond }, c) => {
    const { sub } = requireUser(c.get('user'))
    const [booked, plans] = await Promise.all([selectCurrentSubscription(sql, sub), selectPlans(sql)])
    const status = subscriptionStatus(booked)
    const counting = status === 'active' ? booked?.plan : undefined
    const plan = plans.find(({ name, rank }) => (counting ? name === counting : rank === 0))
    if (!plan) throw new Problem('internal_error', { cause: 'there is no plan of rank 0' })
    return respond({
      plan: plan.name,
      booked_plan: booked?.plan ?? null,
      status,
      period_ends_at: booked?.periodEndsAt?.toISOString() ?? null,
      cancels_at_period_end: booked?.cancelAtPeriodEnd ?? false,
      features: plan.features,
      upgrades: upgradesFrom(plan, plans).map((upgrade) => ({
        ...planResponse(upgrade.plan),
        adds_features: upgrade.adds,
        upgrade_url: upgradeUrl(upgradePage, upgrade.plan.name),
      })),
    })
  })

  return routes
}
