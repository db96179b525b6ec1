import { Hono } from 'hono'
import { z } from 'zod'
import {
  type BookedSubscriptionResponse,
  changeSubscriptionBody,
  type SubscriptionItem,
  subscriptionFilters,
} from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { Sql } from '../db/types.ts'
import { jsonBody } from '../http/json-body.ts'
import { listQuery, listResponse } from '../http/pagination.ts'
import { requireUuid } from '../http/path-parameters.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import { described } from './change.ts'
import { type SubscriptionRow, selectSubscriptionPage } from './list-queries.ts'
import { periodIsOver, unknownPlan } from './problems.ts'
import type { Subscription } from './queries.ts'
import type { BookingOutcome, SubscriptionService } from './service.ts'

interface SubscriptionAdminOptions {
  sql: Sql
  subscriptions: SubscriptionService
}

const byId = z.tuple([z.string().regex(/^\d{1,18}$/)])

const manageSubscriptions = requireAuthorization({ permissions: { all: ['subscriptions.manage'] } })

export function createSubscriptionAdminRoutes({ sql, subscriptions }: SubscriptionAdminOptions) {
  const routes = new Hono<OriginEnv>()

  routes.get('/subscriptions', manageSubscriptions, listQuery(subscriptionFilters, byId), async (c) => {
    const { limit, cursor, ...filters } = c.req.valid('query')
    const rows = await selectSubscriptionPage(sql, filters, { before: cursor?.[0], limit })
    return listResponse(c, rows, { limit, position: ({ id }) => [id], item: subscriptionItem })
  })

  routes.put(
    '/users/:id/subscription',
    manageSubscriptions,
    ...jsonBody(changeSubscriptionBody),
    async (c) => {
      const { plan, period_ends_at: periodEndsAt } = c.req.valid('json')
      const userId = requireUuid(c.req.param('id')).toLowerCase()
      const { sub: actorId } = requireUser(c.get('user'))
      const outcome = await subscriptions.book(
        { userId, actorId, context: c.get('context') },
        { plan, periodEndsAt },
      )
      const answer: BookedSubscriptionResponse = { user_id: userId, ...described(booked(outcome)) }
      return c.json(answer)
    },
  )

  return routes
}

function subscriptionItem(row: SubscriptionRow): SubscriptionItem {
  return {
    id: row.id,
    user_id: row.userId,
    email: row.email,
    ...described(row),
    ended_at: row.endedAt?.toISOString() ?? null,
    created_at: row.createdAt.toISOString(),
  }
}

/** @throws Problem `not_found`, `validation_failed`, `escalation_refused` */
function booked(outcome: BookingOutcome): Subscription {
  switch (outcome.kind) {
    case 'booked':
      return outcome.subscription
    case 'unknown_user':
      throw new Problem('not_found')
    case 'unknown_plan':
      throw unknownPlan()
    case 'period_is_over':
      throw periodIsOver()
    case 'refused':
      throw new Problem('escalation_refused', { members: { reason: outcome.reason } })
  }
}
