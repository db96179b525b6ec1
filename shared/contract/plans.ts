import * as z from 'zod'
import { defineEndpointGroup, ok } from '../endpoint/endpoint.ts'
import { bookedStatus, utcDateTime } from './fields.ts'

export const planResponse = z
  .object({
    name: z.string(),
    title: z.string(),
    price_cents_per_month: z.int(),
    currency: z.string(),
    api_quota_per_hour: z.int(),
    features: z.array(z.string()),
  })
  .meta({ id: 'Plan' })

export type PlanResponse = z.output<typeof planResponse>

/** From the cheapest up. */
const plansResponse = z.object({ plans: z.array(planResponse) }).meta({ id: 'Plans' })

/**
 * `plan` is what counts now, `booked_plan` what was booked: they differ while a subscription is
 * past due, canceled or lapsed. An upgrade names what it adds to the features one has now.
 */
const subscriptionResponse = z
  .object({
    plan: z.string(),
    booked_plan: z.string().nullable(),
    status: z.enum([...bookedStatus.options, 'lapsed', 'none']),
    period_ends_at: utcDateTime.nullable(),
    cancels_at_period_end: z.boolean(),
    features: z.array(z.string()),
    upgrades: z.array(
      z.object({ ...planResponse.shape, adds_features: z.array(z.string()), upgrade_url: z.url() }),
    ),
  })
  .meta({ id: 'OwnSubscription' })

export type SubscriptionResponse = z.output<typeof subscriptionResponse>

export const plans = defineEndpointGroup({
  name: 'Plans',
  description: 'The price list, and the subscription of the caller.',
  endpoints: {
    listPlans: {
      method: 'GET',
      path: '/v1/plans',
      summary: 'List the plans',
      responses: ok('The plans, from the cheapest up.', plansResponse),
    },
    readSubscription: {
      method: 'GET',
      path: '/v1/subscription',
      summary: 'Read the subscription of the caller, and the features of higher plans',
      description:
        '`plan` is the one in force, `booked_plan` the booked one: they differ while a subscription is past due, canceled or lapsed.',
      responses: ok('The subscription, and the plans above it.', subscriptionResponse),
    },
  },
})
