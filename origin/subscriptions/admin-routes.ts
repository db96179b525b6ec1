import { Hono } from 'hono'
import { every } from 'hono/combine'
import * as z from 'zod'
import { planAdministration, type SubscriptionItem } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { Sql } from '../db/types.ts'
import type { RequireStepUp } from '../factors/assurance.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import { serve } from '../http/serve.ts'
import { serveList } from '../http/serve-list.ts'
import { type SubscriptionRow, selectSubscriptionPage } from './list-queries.ts'
import { periodIsOver, unknownPlan } from './problems.ts'
import type { Subscription } from './queries.ts'
import { subscriptionJson } from './replace-subscription.ts'
import type { AssignmentOutcome, SubscriptionService } from './service.ts'

interface SubscriptionAdminOptions {
  sql: Sql
  subscriptions: SubscriptionService
  requireStepUp: RequireStepUp
}

const { listSubscriptions, bookSubscription } = planAdministration.endpoints

const newestFirst = {
  position: z.tuple([z.string().regex(/^\d{1,18}$/)]),
  positionOf: ({ id }: SubscriptionRow): [string] => [id],
  item: subscriptionItem,
}

const manageSubscriptions = requireAuthorization({ permissions: { all: ['subscriptions.manage'] } })

export function createSubscriptionAdminRoutes({
  sql,
  subscriptions,
  requireStepUp,
}: SubscriptionAdminOptions) {
  const routes = new Hono<OriginEnv>()
  const bookPlans = every(manageSubscriptions, requireStepUp('any'))

  serveList(routes, listSubscriptions, manageSubscriptions, newestFirst, ({ filters, limit, after }) =>
    selectSubscriptionPage(sql, filters, { before: after?.[0], limit }),
  )

  serve(routes, bookSubscription, bookPlans, async ({ params, body, respond }, c) => {
    const { plan, period_ends_at: periodEndsAt } = body
    const { sub: actorId } = requireUser(c.get('user'))
    const change = { userId: params.id, actorId, context: c.get('context') }
    const subscription = booked(await subscriptions.assignPlan(change, { plan, periodEndsAt }))
    return respond({ user_id: params.id, ...subscriptionJson(subscription) })
  })

  return routes
}

function subscriptionItem(row: SubscriptionRow): SubscriptionItem {
  return {
    id: row.id,
    user_id: row.userId,
    email: row.email,
    ...subscriptionJson(row),
    ended_at: row.endedAt?.toISOString() ?? null,
    created_at: row.createdAt.toISOString(),
  }
}

/** @throws Problem `not_found`, `validation_failed`, `escalation_refused` */
function booked(outcome: AssignmentOutcome): Subscription {
  switch (outcome.kind) {
    case 'booked':
      return outcome.subscription
    case 'unknown_user':
      throw new Problem('not_found')
    case 'unknown_plan':
      throw unknownPlan()
    case 'period_is_over':
      throw periodIsOver()
    case 'rejected':
      throw new Problem('escalation_refused', { members: { reason: outcome.reason } })
  }
}
