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
