import { z } from 'zod'
import { displayable, email, newEmail, newPassword, opaqueToken, password, utcDateTime } from './fields.ts'

export function registerBody(minPasswordLength: number) {
  return z.strictObject({
    email: newEmail,
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

/**
 * `token_delivery` says where the refresh token goes: into the body or, for browsers, into a cookie
 * that no script reads.
 */
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

/**
 * The password is the account's, as it was registered: the link alone does not tell who registered.
 */
export const verifyEmailBody = z.strictObject({ token: opaqueToken, password })

export const resendVerificationBody = z.strictObject({ email })

/** The same whether or not anything was done: it tells nobody whether an address has an account. */
export const acceptedResponse = z.object({ status: z.literal('accepted') }).meta({ id: 'Accepted' })

export type AcceptedResponse = z.output<typeof acceptedResponse>

/** RFC 6749, section 5.1; `expires_in` in seconds. */
export const tokenResponse = z
  .object({
    access_token: z.string(),
    token_type: z.literal('Bearer'),
    expires_in: z.int(),
    refresh_token: z.string(),
  })
  .meta({ id: 'Tokens' })

export type TokenResponse = z.output<typeof tokenResponse>

/** In cookie mode: the refresh token is in its cookie alone. */
export const cookieTokenResponse = tokenResponse.omit({ refresh_token: true }).meta({ id: 'AccessToken' })

export const meResponse = z
  .object({
    id: z.uuid(),
    email: z.string(),
    email_verified: z.boolean(),
    display_name: z.string().nullable(),
    role: z.string(),
    level: z.int(),
    permissions: z.array(z.string()),
    plan: z.string(),
    features: z.array(z.string()),
    created_at: utcDateTime,
  })
  .meta({ id: 'Me' })

export type MeResponse = z.output<typeof meResponse>

/** A live session as its account or an admin sees it. */
export const sessionItem = z
  .object({
    id: z.uuid(),
    ip: z.string().nullable(),
    user_agent: z.string().nullable(),
    created_at: utcDateTime,
    last_used_at: utcDateTime,
    expires_at: utcDateTime,
  })
  .meta({ id: 'Session' })

export type SessionItem = z.output<typeof sessionItem>

/** `current` is the one that asks. */
export const sessionsResponse = z
  .object({ sessions: z.array(z.object({ ...sessionItem.shape, current: z.boolean() })) })
  .meta({ id: 'OwnSessions' })

export type SessionsResponse = z.output<typeof sessionsResponse>
