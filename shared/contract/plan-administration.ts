import { z } from 'zod'
import { defineEndpointGroup, ok } from '../endpoint/endpoint.ts'
import { bookedStatus, displayable, featureName, planName, time, utcDateTime, uuid } from './fields.ts'
import { filteredList, list } from './lists.ts'
import { planResponse } from './plans.ts'

/**
 * A request a minute, as the database has it: with fewer nobody on the plan could work, whoever set
 * it among them.
 */
export const minQuotaPerHour = 60

const changePlanBody = z
  .strictObject({
    title: z.string().trim().min(1).max(80).regex(displayable).optional(),
    price_cents_per_month: z.int().min(0).max(100_000_000).optional(),
    api_quota_per_hour: z
      .int()
      .min(minQuotaPerHour, {
        error: `must be at least ${minQuotaPerHour}: a plan allows a request a minute`,
      })
      .max(1_000_000_000)
      .optional(),
  })
  .refine((body) => Object.keys(body).length > 0, { error: 'changes nothing' })
  .meta({ minProperties: 1 })

const planFeaturesBody = z.strictObject({ features: z.array(featureName).max(200) })

const changeSubscriptionBody = z.strictObject({
  plan: planName,
  period_ends_at: time.nullable().default(null),
})

/** `rank` orders plans from the cheapest up. */
const adminPlanResponse = z.object({ ...planResponse.shape, rank: z.int() }).meta({ id: 'RankedPlan' })

export type AdminPlanResponse = z.output<typeof adminPlanResponse>

const featureItem = z.object({ name: z.string(), description: z.string() }).meta({ id: 'Feature' })

export type FeatureItem = z.output<typeof featureItem>

/** A subscription as it was booked. */
const booked = {
  plan: z.string(),
  status: bookedStatus,
  period_starts_at: utcDateTime,
  period_ends_at: utcDateTime.nullable(),
  cancel_at_period_end: z.boolean(),
}

export const bookedSubscriptionResponse = z
  .object({ user_id: z.uuid(), ...booked })
  .meta({ id: 'BookedSubscription' })

/** `ended_at` is when another one took its place, null for the current one. */
const subscriptionItem = z
  .object({
    id: z.string(),
    user_id: z.uuid(),
    email: z.string(),
    ...booked,
    ended_at: utcDateTime.nullable(),
    created_at: utcDateTime,
  })
  .meta({ id: 'Subscription' })

export type SubscriptionItem = z.output<typeof subscriptionItem>

const subscriptionFilters = {
  plan: z
    .string()
    .regex(/^[a-z_]{1,40}$/, { error: 'is not the name of a plan' })
    .optional(),
  status: bookedStatus.optional(),
  user_id: z.uuid().optional(),
}

export const planAdministration = defineEndpointGroup({
  name: 'Plans and subscriptions',
  description:
    'For people who run the product. A change reaches the tokens of all subscribers at once, as `claims_stale`.',
  endpoints: {
    adminListPlans: {
      method: 'GET',
      path: '/admin/plans',
      summary: 'List plans, from the cheapest up',
      ...list(adminPlanResponse),
    },
    changePlan: {
      method: 'PATCH',
      path: '/admin/plans/{name}',
      summary: 'Change title, price or quota of a plan',
      body: changePlanBody,
      responses: ok('The plan after the change.', adminPlanResponse),
    },
    setPlanFeatures: {
      method: 'PUT',
      path: '/admin/plans/{name}/features',
      summary: 'Replace the features of a plan',
      body: planFeaturesBody,
      responses: ok('The plan after the change.', adminPlanResponse),
    },
    listFeatures: { method: 'GET', path: '/admin/features', summary: 'List features', ...list(featureItem) },
    listSubscriptions: {
      method: 'GET',
      path: '/admin/subscriptions',
      summary: 'List subscriptions, the newest first',
      ...filteredList(subscriptionItem, subscriptionFilters),
    },
    bookSubscription: {
      method: 'PUT',
      path: '/admin/users/{id}/subscription',
      params: { id: uuid },
      summary: 'Book a plan for an account',
      body: changeSubscriptionBody,
      description:
        'Nobody books for their own account, or for one at or above their own level: `escalation_refused`.',
      responses: ok('The subscription after the change.', bookedSubscriptionResponse),
      errors: ['escalation_refused'],
    },
  },
})
