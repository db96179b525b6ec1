import { z } from 'zod'
import {
  bookedStatus,
  displayable,
  featureName,
  microsecondTime,
  planName,
  time,
  utcDateTime,
} from './fields.ts'

/**
 * A request a minute, as the database has it: with fewer nobody on the plan could work, whoever set
 * it among them.
 */
export const minQuotaPerHour = 60

export const changePlanBody = z
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

export const planFeaturesBody = z.strictObject({ features: z.array(featureName).max(200) })

export const changeSubscriptionBody = z.strictObject({
  plan: planName,
  period_ends_at: time.nullable().default(null),
})

/**
 * What a billing service tells: the subscription as it is from this event on. The period starts
 * with the event unless it says otherwise.
 */
export const billingEventBody = z
  .strictObject({
    event_id: z.string().min(1).max(200).regex(displayable),
    occurred_at: microsecondTime,
    plan: planName,
    status: bookedStatus,
    period_starts_at: time.optional(),
    period_ends_at: time.nullable(),
    cancel_at_period_end: z.boolean().default(false),
  })
  .refine(
    ({ occurred_at, period_starts_at = new Date(occurred_at), period_ends_at }) =>
      period_ends_at === null || period_ends_at > period_starts_at,
    {
      path: ['period_ends_at'],
      error: 'must be after period_starts_at, which without a value is occurred_at',
    },
  )
  .refine((event) => !event.cancel_at_period_end || event.period_ends_at !== null, {
    path: ['period_ends_at'],
    error: 'must be known for a subscription that is canceled at its end',
  })

/**
 * What gateways know of plans; `rank` orders them from the cheapest up. Rows of the policy are held
 * against the names of all features and permissions, which an origin of an earlier version does not
 * tell.
 */
export const planCatalogue = z.object({
  plans: z.array(z.object({ name: z.string(), rank: z.number(), features: z.array(z.string()) })),
  features: z.array(z.string()).optional(),
  permissions: z.array(z.string()).optional(),
})

export type PlanCatalogue = z.output<typeof planCatalogue>

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
export const plansResponse = z.object({ plans: z.array(planResponse) }).meta({ id: 'Plans' })

export type PlansResponse = z.output<typeof plansResponse>

/** `rank` orders plans from the cheapest up. */
export const adminPlanResponse = z.object({ ...planResponse.shape, rank: z.int() }).meta({ id: 'RankedPlan' })

export type AdminPlanResponse = z.output<typeof adminPlanResponse>

export const featureItem = z.object({ name: z.string(), description: z.string() }).meta({ id: 'Feature' })

export type FeatureItem = z.output<typeof featureItem>

/**
 * `plan` is what counts now, `booked_plan` what was booked: they differ while a subscription is
 * past due, canceled or lapsed. An upgrade names what it adds to the features one has now.
 */
export const subscriptionResponse = z
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

export type BookedSubscriptionResponse = z.output<typeof bookedSubscriptionResponse>

/** `ended_at` is when another one took its place, null for the current one. */
export const subscriptionItem = z
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

export const subscriptionFilters = {
  plan: z
    .string()
    .regex(/^[a-z_]{1,40}$/, { error: 'is not the name of a plan' })
    .optional(),
  status: bookedStatus.optional(),
  user_id: z.uuid().optional(),
}

/** A billing event as it was applied; the same for each time that it comes. */
export interface BillingEventResponse extends BookedSubscriptionResponse {
  event_id: string
}
