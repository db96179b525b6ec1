import { Hono } from 'hono'
import { services } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { ServiceEnv } from '../oauth/tokens/require-service.ts'
import { serveService } from '../oauth/tokens/serve-service.ts'
import type { Billing, BillingOutcome } from './billing.ts'
import { isAhead, unknownPlan } from './problems.ts'

const { applyBillingEvent } = services.endpoints

/** Routes for billing services with their own token. */
export function createBillingRoutes({ billing }: { billing: Billing }) {
  const routes = new Hono<ServiceEnv>()

  serveService(routes, applyBillingEvent, async (call, c) => {
    const { params, body: event, respond } = call
    const outcome = await billing.apply(
      {
        clientId: c.get('service').clientId,
        eventId: event.event_id,
        userId: params.id,
        occurredAt: event.occurred_at,
        subscription: {
          plan: event.plan,
          status: event.status,
          periodStartedAt: event.period_starts_at ?? new Date(event.occurred_at),
          periodEndsAt: event.period_ends_at,
          cancelAtPeriodEnd: event.cancel_at_period_end,
        },
      },
      c.get('context'),
    )
    return respond(applied(outcome))
  })

  return routes
}

/** @throws Problem `not_found`, `validation_failed`, `event_conflict`, `event_outdated` */
function applied(outcome: BillingOutcome) {
  switch (outcome.kind) {
    case 'applied':
      return outcome.response
    case 'unknown_user':
      throw new Problem('not_found')
    case 'unknown_plan':
      throw unknownPlan()
    case 'event_ahead':
      throw isAhead()
    case 'event_conflict':
    case 'event_outdated':
      throw new Problem(outcome.kind)
  }
}
