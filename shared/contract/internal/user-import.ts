import * as z from 'zod'
import { displayable, displayName, newEmail, planName, roleName, time, userStatus } from '../fields.ts'
import { metadata } from '../metadata.ts'

/** RFC 4648 base32 of 10 to 80 bytes, in either case, with or without padding. */
const base32 = /^[A-Za-z2-7]{16,128}=*$/

/**
 * An account of another system, as a line of a file or an item of a request. It is whole: a field
 * that is missing has its default.
 */
export const importedUser = z
  .strictObject({
    external_id: z
      .string()
      .min(1)
      .max(200)
      .regex(displayable, { error: 'must not contain control characters' })
      .nullable()
      .default(null),
    email: newEmail,
    email_verified: z.boolean().default(false),
    display_name: displayName.nullable().default(null),
    /** null for the role of new accounts, and for their plan. */
    role: roleName.nullable().default(null),
    plan: planName.nullable().default(null),
    period_ends_at: time.nullable().default(null),
    status: userStatus.default('active'),
    created_at: time.nullable().default(null),
    metadata: metadata.nullable().default(null),
    password_hash: z.string().min(1).max(1024).nullable().default(null),
    totp_secret: z
      .string()
      .regex(base32, { error: 'must be base32 of 10 to 80 bytes' })
      .nullable()
      .default(null),
  })
  .meta({ id: 'ImportedUser' })

export type ImportedUser = z.output<typeof importedUser>

/** Accounts in one request. */
export const mostImported = 1000

/** Each item is validated by itself: one that is wrong keeps no other out. */
export const importBody = z.strictObject({ users: z.array(z.unknown()).min(1).max(mostImported) })

const importResult = z.object({
  /** The position in the request, from 0. */
  index: z.int(),
  outcome: z.enum(['created', 'updated', 'unchanged', 'rejected']),
  user_id: z.uuid().exactOptional(),
  reason: z.string().exactOptional(),
})

export type ImportResult = z.output<typeof importResult>

export const importResponse = z
  .object({
    created: z.int(),
    updated: z.int(),
    unchanged: z.int(),
    rejected: z.int(),
    results: z.array(importResult),
  })
  .meta({ id: 'ImportResults' })
