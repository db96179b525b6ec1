import * as z from 'zod'
import { emailPattern, knownEmail, maxEmailLength, newAddress } from '../lib/email.ts'

/** Fields that more than one body has. */

function emailBy(read: (text: string) => string | undefined) {
  return z
    .string()
    .transform((text, context) => {
      const address = read(text)
      if (address !== undefined) return address
      context.issues.push({ code: 'custom', message: 'Invalid email address', input: text })
      return z.NEVER
    })
    .meta({
      format: 'email',
      pattern: emailPattern,
      maxLength: maxEmailLength,
      description: 'As browsers take it. International domain names are taken, and stored in A-labels.',
    })
}

/** A new address, in its one form. */
export const newEmail = emailBy(newAddress)

/** An address to look up, in its one form. */
export const email = emailBy(knownEmail)

/**
 * In UTF-16 units. Longer ones are not even normalized: NFC takes time that grows with the square
 * of a run of accents.
 */
const maxPasswordLength = 1024

/** An existing password, whose requirements were checked when it was set. */
export const password = z.string().min(1).max(maxPasswordLength).meta({ format: 'password' })

export const opaqueToken = z.string().min(1).max(512)

/** Six digits of an authenticator app, with or without spaces. */
export const totpCode = z
  .string()
  .max(16)
  .transform((text) => text.replaceAll(/\s/g, ''))
  .refine((text) => /^\d{6}$/.test(text), { error: 'must be six digits' })
  .meta({ pattern: '^\\s*(?:\\d\\s*){6}$', examples: ['123456'] })

/** A recovery code as it was shown; case, spaces and hyphens do not matter. */
export const recoveryCode = z
  .string()
  .min(8)
  .max(40)
  .meta({ examples: ['k3mv-9x2p-71qh'] })

/**
 * Reasons to reject a new password. Frontends translate them, so their meaning never changes.
 */
export const passwordFaultCode = z.enum([
  'too_short',
  'too_long',
  'too_common',
  'too_predictable',
  'contains_email',
  'contains_product_name',
])

export type PasswordFaultCode = z.output<typeof passwordFaultCode>

/** The code of a fault, where the response is to carry one. */
const withCode = (code: PasswordFaultCode) => ({ params: { code } })

/** Counted in code points of NFC, as a person would; the upper bound keeps hashing cheap. */
export function newPassword(minLength: number) {
  const maxLength = 256
  const length = (text: string) => [...text.normalize('NFC')].length
  return z
    .string()
    .refine((text) => text.length <= maxPasswordLength, {
      error: `must have at most ${maxLength} characters`,
      abort: true,
      ...withCode('too_long'),
    })
    .refine((text) => length(text) >= minLength, {
      error: `must have at least ${minLength} characters`,
      ...withCode('too_short'),
    })
    .refine((text) => length(text) <= maxLength, {
      error: `must have at most ${maxLength} characters`,
      ...withCode('too_long'),
    })
    .meta({ format: 'password', minLength, maxLength })
}

/**
 * No controls, no line breaks, no half characters, and nothing that turns the direction of the text
 * around it.
 */
export const displayable = /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]*$/u

/** The name that a user shows to others. */
export const displayName = z
  .string()
  .trim()
  .min(1)
  .max(80)
  .regex(displayable, { error: 'must not contain control characters' })

function canonicalLocale(text: string): string | undefined {
  try {
    return Intl.getCanonicalLocales(text)[0]
  } catch {
    return undefined
  }
}

/** A language tag (BCP 47), in its canonical form. */
export const locale = z
  .string()
  .max(35)
  .transform((text, context) => {
    const tag = canonicalLocale(text)
    if (tag !== undefined) return tag
    context.issues.push({ code: 'custom', message: 'must be a language tag such as de-AT', input: text })
    return z.NEVER
  })
  .meta({ description: 'A language tag (BCP 47).', examples: ['de-AT'] })

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined
  } catch {
    return false
  }
}

/** The name of a time zone (IANA), not an offset: that changes with the season. */
export const timeZone = z
  .string()
  .max(64)
  .refine((name) => /^[A-Za-z]/.test(name) && isTimeZone(name), {
    error: 'must be the name of a time zone such as Europe/Vienna',
  })
  .meta({ examples: ['Europe/Vienna'] })

/** The name of a role, a plan or a feature. */
const name = /^[a-z][a-z_]{1,39}$/

export const roleName = z.string().regex(name, { error: 'is not the name of a role' })
export const planName = z.string().regex(name, { error: 'is not the name of a plan' })
export const featureName = z.string().regex(name, { error: 'is not the name of a feature' })

export const permissionName = z
  .string()
  .regex(/^[a-z_]{2,30}\.[a-z_]{2,30}$/, { error: 'is not the name of a permission' })

/** From 0 to 100: what a role may change is below its own level. */
export const roleLevel = z.int().min(0).max(100)

/**
 * Pattern of a time without its zone. It is published, because `date-time` alone would allow zones
 * and precisions that are rejected.
 */
const timePattern = (fraction: string) =>
  `^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}(?::\\d{2}(?:\\.\\d${fraction})?)?`

/** Whether the database can store the time. */
function isStorable(at: Date): boolean {
  return at >= new Date('1970-01-01') && at < new Date('9999-01-01')
}

/** RFC 3339, to the millisecond. */
export const time = z.iso
  .datetime({ offset: true, abort: true })
  .transform((text) => new Date(text))
  .refine(isStorable, { error: 'is out of range', abort: true })
  .meta({
    format: 'date-time',
    pattern: `${timePattern('+')}(?:Z|[+-]\\d{2}:\\d{2})$`,
    description: 'RFC 3339, from 1970 on, with Z or an offset.',
    examples: ['2026-01-31T12:00:00+01:00'],
  })

/**
 * RFC 3339 with microseconds, which a Date does not hold: what is finer is cut off. As text in UTC,
 * whose order as text is that in time.
 */
export const microsecondTime = z.iso
  .datetime({ offset: true, abort: true })
  .transform((text) => ({ at: new Date(text), fraction: /\.(\d+)/.exec(text)?.[1] ?? '' }))
  .refine(({ at }) => isStorable(at), { error: 'is out of range', abort: true })
  .transform(({ at, fraction }) => `${at.toISOString().slice(0, 19)}.${fraction.padEnd(6, '0').slice(0, 6)}Z`)

/**
 * RFC 3339 in UTC, as the lists write it, with up to microseconds. The year 0000 is none to
 * Postgres.
 */
export const moment = z.iso
  .datetime({ error: 'must be a time in UTC, as in 2026-01-31T12:00:00Z' })
  .max(27)
  .refine((text) => !text.startsWith('0000'), { error: 'is out of range' })
  .meta({
    pattern: `${timePattern('{1,6}')}Z$`,
    description: 'RFC 3339 in UTC, with up to microseconds.',
    examples: ['2026-01-31T12:00:00Z'],
  })

/** An id; a value that cannot be one is the id of nothing. */
export const uuid = z.guid().toLowerCase()

/** A time as answers write it: RFC 3339 in UTC. */
export const utcDateTime = z.iso.datetime()

export const userStatus = z.enum(['active', 'disabled'])

export const bookedStatus = z.enum(['active', 'past_due', 'canceled'])

/** A CIDR block or one address. */
export const network = z
  .union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()], {
    error: 'must be a network or an address such as 192.0.2.0/24, 2001:db8::/32, 192.0.2.7',
  })
  .refine((text) => !/^[0:]*ffff:/i.test(text), {
    error: 'must have IPv4 networks in their own form: 10.0.0.0/8, not ::ffff:10.0.0.0/104',
  })
