import * as z from 'zod'
import { displayable } from '../fields.ts'

/** Fields of roles, permissions, plans and features, as bodies and catalogue files have them. */

const text = (longest: number) =>
  z.string().trim().min(1).max(longest).regex(displayable, { error: 'must not contain control characters' })

export const catalogueTexts = { title: text(80), description: text(200) }

/**
 * One request a minute, as in the database. With fewer, no user of the plan could work, and an
 * administrator on it could not raise the quota.
 */
export const minQuotaPerHour = 60

export const quotaPerHour = z
  .int()
  .min(minQuotaPerHour, { error: `must be at least ${minQuotaPerHour}: a plan allows a request a minute` })
  .max(1_000_000_000)

/** Members of a plan beside its name and its features. */
export const planTerms = {
  title: catalogueTexts.title,
  price_cents_per_month: z.int().min(0).max(100_000_000),
  /** ISO 4217. */
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/, { error: 'must be three capital letters, such as EUR' })
    .default('EUR'),
  api_quota_per_hour: quotaPerHour,
}
