import { z } from 'zod'
import { displayable, newEmail, planName, roleName, time, userStatus } from '../fields.ts'

/** Characters of metadata as JSON, and how deep its objects and lists may be nested. */
const longestMetadata = 8192
const deepestMetadata = 16

export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue }
export type JsonObject = { [key: string]: JsonValue }

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** PostgreSQL stores neither NUL nor half characters. */
const isStorable = (text: string) => text.isWellFormed() && !text.includes('\0')

/** The reason why parsed JSON cannot be stored, or undefined. */
function whyNotStorable(value: unknown, depth = 0): string | undefined {
  if (depth > deepestMetadata) return `is nested more than ${deepestMetadata} deep`
  if (typeof value === 'string' && !isStorable(value)) return 'has NUL or half a surrogate pair'
  if (typeof value !== 'object' || value === null) return undefined
  for (const [key, member] of Object.entries(value)) {
    if (key === '__proto__') return 'has the key __proto__'
    const fault = isStorable(key) ? whyNotStorable(member, depth + 1) : 'has NUL or half a surrogate pair'
    if (fault) return fault
  }
  return undefined
}

function whyNoMetadata(value: unknown): string | undefined {
  if (!isObject(value)) return 'must be an object'
  const fault = whyNotStorable(value)
  if (fault) return fault
  const { length } = JSON.stringify(value)
  return length > longestMetadata ? `must have at most ${longestMetadata} characters as JSON` : undefined
}

/** An object of JSON that the product keeps with an account. */
export const metadata = z
  .unknown()
  .transform((value, context): JsonObject => {
    const fault = whyNoMetadata(value)
    if (fault === undefined) return value as JsonObject
    context.issues.push({ code: 'custom', message: fault, input: value })
    return z.NEVER
  })
  .meta({ type: 'object', description: `At most ${longestMetadata} characters as JSON.` })

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
    display_name: z
      .string()
      .trim()
      .min(1)
      .max(80)
      .regex(displayable, { error: 'must not contain control characters' })
      .nullable()
      .default(null),
    role: roleName.default('user'),
    plan: planName.default('free'),
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
