import { z } from 'zod'

/** The bodies of every endpoint. Objects are strict: a field that one may not set is refused by its name. */

const email = z.email().max(254)

/** In UTF-16 units. Longer ones are not even normalized: NFC takes time that grows with the square of a run of accents. */
const longestPassword = 1024

/** A password that exists: what it had to be was checked when it was set. */
const password = z.string().min(1).max(longestPassword)

const opaqueToken = z.string().min(1).max(512)

/** Counted in code points of NFC, as a person would; the upper bound keeps hashing cheap. */
export function newPassword(minLength: number) {
  const length = (text: string) => [...text.normalize('NFC')].length
  return z
    .string()
    .max(longestPassword, { abort: true })
    .refine((text) => length(text) >= minLength, { error: `must have at least ${minLength} characters` })
    .refine((text) => length(text) <= 256, { error: 'must have at most 256 characters' })
}

/** No controls, no line breaks, no half characters, and nothing that turns the direction of the text around it. */
const displayable = /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]*$/u

export function registerBody(minPasswordLength: number) {
  return z.strictObject({
    email,
    password: newPassword(minPasswordLength),
    display_name: z
      .string()
      .trim()
      .min(1)
      .max(80)
      .regex(displayable, { error: 'must not contain control characters' })
      .optional(),
  })
}

/** `token_delivery` says where the refresh token goes: into the body or, for browsers, into a cookie that no script reads. */
export const loginBody = z.strictObject({
  email,
  password,
  token_delivery: z.enum(['body', 'cookie']).default('body'),
})

/** RFC 6749, section 6, for the token alone; in cookie mode it comes by its cookie. */
export const refreshBody = z.strictObject({ refresh_token: opaqueToken.optional() })

export const logoutBody = z.strictObject({
  refresh_token: opaqueToken.optional(),
  everywhere: z.boolean().default(false),
})

export function changePasswordBody(minPasswordLength: number) {
  return z.strictObject({ current_password: password, new_password: newPassword(minPasswordLength) })
}

export const forgotPasswordBody = z.strictObject({ email })

export function resetPasswordBody(minPasswordLength: number) {
  return z.strictObject({ token: opaqueToken, password: newPassword(minPasswordLength) })
}

export const verifyEmailBody = z.strictObject({ token: opaqueToken })

const planName = z.string().regex(/^[a-z][a-z_]{1,39}$/, { error: 'is not the name of a plan' })

/** RFC 3339, within what the database can hold. */
const time = z.iso
  .datetime({ offset: true, abort: true })
  .transform((text) => new Date(text))
  .refine((at) => at >= new Date('1970-01-01') && at < new Date('9999-01-01'), {
    error: 'is out of range',
    abort: true,
  })

const featureName = z.string().regex(/^[a-z][a-z_]{1,39}$/, { error: 'is not the name of a feature' })

export const changePlanBody = z
  .strictObject({
    title: z.string().trim().min(1).max(80).regex(displayable).optional(),
    price_cents_per_month: z.int().min(0).max(100_000_000).optional(),
    api_quota_per_hour: z.int().min(1).max(1_000_000_000).optional(),
  })
  .refine((body) => Object.keys(body).length > 0, { error: 'changes nothing' })

export const planFeaturesBody = z.strictObject({ features: z.array(featureName).max(200) })

export const changeSubscriptionBody = z.strictObject({
  plan: planName,
  period_ends_at: time.nullable().default(null),
})

/** What a billing service tells: the subscription as it is from this event on. The period starts with the event unless it says otherwise. */
export const billingEventBody = z
  .strictObject({
    event_id: z.string().min(1).max(200).regex(displayable),
    occurred_at: time,
    plan: planName,
    status: z.enum(['active', 'past_due', 'canceled']),
    period_starts_at: time.optional(),
    period_ends_at: time.nullable(),
    cancel_at_period_end: z.boolean().default(false),
  })
  .refine(
    ({ occurred_at, period_starts_at = occurred_at, period_ends_at }) =>
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

/** What gateways know of plans; `rank` orders them from the cheapest up. */
export const planCatalogue = z.object({
  plans: z.array(z.object({ name: z.string(), rank: z.number(), features: z.array(z.string()) })),
})

export type PlanCatalogue = z.output<typeof planCatalogue>

export interface PlanAnswer {
  name: string
  title: string
  price_cents_per_month: number
  currency: string
  api_quota_per_hour: number
  features: string[]
}

/** From the cheapest up. */
export interface PlansAnswer {
  plans: PlanAnswer[]
}

/**
 * `plan` is what counts now, `booked_plan` what was booked: they differ while a subscription is past due, canceled or lapsed. An upgrade
 * names what it adds to the features one has now.
 */
export interface SubscriptionAnswer {
  plan: string
  booked_plan: string | null
  status: 'active' | 'past_due' | 'canceled' | 'lapsed' | 'none'
  period_ends_at: string | null
  cancels_at_period_end: boolean
  features: string[]
  upgrades: (PlanAnswer & { adds_features: string[]; upgrade_url: string })[]
}

/** A billing event as it was applied; the same for each time that it comes. */
export interface BillingEventAnswer {
  event_id: string
  user_id: string
  plan: string
  status: 'active' | 'past_due' | 'canceled'
  period_starts_at: string
  period_ends_at: string | null
  cancel_at_period_end: boolean
}

/**
 * What a gateway tells of requests that its limits refused; `dropped` are those it could not keep. Methods and routes are as the policy
 * table has them.
 */
export const refusalsBody = z.strictObject({
  dropped: z.int().min(0),
  refusals: z
    .array(
      z.strictObject({
        class: z.string().regex(/^[a-z_]{1,40}$/),
        key: z.string().min(1).max(200).regex(displayable),
        method: z.string().regex(/^[A-Z]{1,20}$/),
        route: z.string().min(1).max(200).regex(displayable),
        count: z.int().min(1).max(2_147_483_647),
      }),
    )
    .max(1000),
})

export type RefusalsBody = z.output<typeof refusalsBody>

/** Ids may come twice and in any letter case. */
export const entitlementsBody = z.strictObject({
  user_ids: z.array(z.guid().toLowerCase()).max(1000),
})

/** One security event. `user_id` is the account it concerns, `actor_id` the account that did it. Times have microseconds. */
export interface AuditLogItem {
  id: string
  action: string
  actor_id: string | null
  user_id: string | null
  session_id: string | null
  ip: string | null
  user_agent: string | null
  request_id: string | null
  details: Record<string, unknown>
  created_at: string
}

/** `user_id` is null where the address has no account. */
export interface LoginAttemptItem {
  id: string
  email: string
  user_id: string | null
  ip: string | null
  user_agent: string | null
  outcome: 'succeeded' | 'failed'
  reason: string | null
  created_at: string
}

/** Requests that one limit refused within some seconds before `created_at`. */
export interface RateLimitLogItem {
  id: string
  class: string
  key: string
  method: string
  route: string
  count: number
  created_at: string
}

/** For services: an account as it was at `as_of`. */
export interface InternalUserAnswer {
  id: string
  email: string
  email_verified: boolean
  display_name: string | null
  status: 'active' | 'disabled'
  role: string
  level: number
  plan: string
  created_at: string
  as_of: string
}

/** One or none. */
export interface InternalUsersAnswer {
  items: InternalUserAnswer[]
}

/** For services: what an account may do, as it was at `as_of`. Permissions and features of a disabled one are empty. */
export interface EntitlementsAnswer {
  user_id: string
  status: 'active' | 'disabled'
  role: string
  level: number
  permissions: string[]
  plan: string
  features: string[]
  api_quota_per_hour: number
  as_of: string
}

/** `missing` are ids of nobody. */
export interface EntitlementsListAnswer {
  items: EntitlementsAnswer[]
  missing: string[]
}

export const changeRoleBody = z.strictObject({ role: z.string().regex(/^[a-z][a-z_]{1,39}$/) })

/** The reason goes into the audit log alone. */
export const lockBody = z.strictObject({
  reason: z.string().trim().min(1).max(500).regex(displayable).optional(),
})

export const rolePermissionsBody = z.strictObject({ permissions: z.array(z.string().max(80)).max(100) })

/** The same whether or not anything was done: it tells nobody whether an address has an account. */
export interface AcceptedAnswer {
  status: 'accepted'
}

/** RFC 6749, section 5.1; `expires_in` in seconds. */
export interface TokenAnswer {
  access_token: string
  token_type: 'Bearer'
  expires_in: number
  refresh_token: string
}

export interface MeAnswer {
  id: string
  email: string
  email_verified: boolean
  display_name: string | null
  role: string
  level: number
  permissions: string[]
  plan: string
  features: string[]
  created_at: string
}

/** Times in RFC 3339. */
export interface SessionsAnswer {
  sessions: {
    id: string
    current: boolean
    ip: string | null
    user_agent: string | null
    created_at: string
    last_used_at: string
    expires_at: string
  }[]
}

/** One run of a job of the database's upkeep. Without an outcome it is under way, or broke off; `slot` is when it was due. */
export interface UpkeepRunAnswer {
  id: string
  job: string
  slot: string
  started_at: string
  finished_at: string | null
  rows: number
  outcome: 'succeeded' | 'failed' | null
  sqlstate: string | null
}

export interface UpkeepRunStartedAnswer {
  id: string
}
