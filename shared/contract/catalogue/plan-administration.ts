import * as z from 'zod'
import { defineEndpointGroup, noContent, ok } from '../../endpoint/endpoint.ts'
import { bookedStatus, featureName, planName, time, utcDateTime, uuid } from '../fields.ts'
import { filteredList, list } from '../lists.ts'
import { planResponse } from '../plans.ts'
import { catalogueTexts, planTerms, quotaPerHour } from './fields.ts'

const changePlanBody = z
  .strictObject({
    title: planTerms.title.optional(),
    price_cents_per_month: planTerms.price_cents_per_month.optional(),
    api_quota_per_hour: planTerms.api_quota_per_hour.optional(),
  })
  .refine((body) => Object.keys(body).length > 0, { error: 'changes nothing' })
  .meta({ minProperties: 1 })

const planFeaturesBody = z.strictObject({ features: z.array(featureName).max(500) })

/** `rank` is its place from the cheapest up; left out, it is the dearest. */
const createPlanBody = z.strictObject({
  name: planName,
  ...planTerms,
  ...planFeaturesBody.shape,
  rank: z.int().min(1).max(1000).optional(),
})

const createFeatureBody = z.strictObject({ name: featureName, description: catalogueTexts.description })

const changeFeatureBody = z.strictObject({ description: catalogueTexts.description })

const changeQuotaBody = z.strictObject({ api_quota_per_hour: quotaPerHour })

const changeSubscriptionBody = z.strictObject({
  plan: planName,
  period_ends_at: time.nullable().default(null),
})

/** `rank` orders plans from the cheapest up. */
const adminPlanResponse = z.object({ ...planResponse.shape, rank: z.int() }).meta({ id: 'RankedPlan' })

export type AdminPlanResponse = z.output<typeof adminPlanResponse>

const featureItem = z.object({ name: z.string(), description: z.string() }).meta({ id: 'Feature' })

export type FeatureItem = z.output<typeof featureItem>

/** The quota of a plan, in requests to the API. */
const quotaItem = z
  .object({ plan: z.string(), title: z.string(), api_quota_per_hour: z.int() })
  .meta({ id: 'Quota' })

export type QuotaItem = z.output<typeof quotaItem>

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
    createPlan: {
      method: 'POST',
      path: '/admin/plans',
      summary: 'Create a plan',
      description: 'Plans from its rank up move by one.',
      body: createPlanBody,
      responses: ok('The plan.', adminPlanResponse),
      errors: ['step_up_required', 'name_taken', 'tokens_too_large'],
    },
    deletePlan: {
      method: 'DELETE',
      path: '/admin/plans/{name}',
      summary: 'Remove a plan that no subscription ever had',
      responses: noContent('The plan is gone.'),
      errors: ['in_use'],
    },
    changePlan: {
      method: 'PATCH',
      path: '/admin/plans/{name}',
      summary: 'Change title, price or quota of a plan',
      body: changePlanBody,
      responses: ok('The plan after the change.', adminPlanResponse),
      errors: ['step_up_required', 'tokens_too_large'],
    },
    setPlanFeatures: {
      method: 'PUT',
      path: '/admin/plans/{name}/features',
      summary: 'Replace the features of a plan',
      body: planFeaturesBody,
      responses: ok('The plan after the change.', adminPlanResponse),
      errors: ['step_up_required', 'tokens_too_large'],
    },
    listFeatures: { method: 'GET', path: '/admin/features', summary: 'List features', ...list(featureItem) },
    createFeature: {
      method: 'POST',
      path: '/admin/features',
      summary: 'Create a feature',
      body: createFeatureBody,
      responses: ok('The feature.', featureItem),
      errors: ['name_taken'],
    },
    updateFeature: {
      method: 'PATCH',
      path: '/admin/features/{name}',
      summary: 'Change the description of a feature',
      body: changeFeatureBody,
      responses: ok('The feature after the change.', featureItem),
    },
    deleteFeature: {
      method: 'DELETE',
      path: '/admin/features/{name}',
      summary: 'Remove a feature that no plan has',
      responses: noContent('The feature is gone.'),
      errors: ['in_use'],
    },
    listQuotas: {
      method: 'GET',
      path: '/admin/quotas',
      summary: 'List the quotas of plans, from the cheapest plan up',
      ...list(quotaItem),
    },
    changeQuota: {
      method: 'PUT',
      path: '/admin/quotas/{plan}',
      summary: 'Change the quota of a plan',
      body: changeQuotaBody,
      responses: ok('The quota after the change.', quotaItem),
      errors: ['step_up_required', 'tokens_too_large'],
    },
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
      errors: ['step_up_required', 'escalation_refused'],
    },
  },
})
