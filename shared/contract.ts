import { z } from 'zod'

/** The bodies of every endpoint. Objects are strict: a field that one may not set is refused by its name. */

const email = z.email().max(254)

/** Counted in code points, as a person would; the upper bound keeps hashing cheap. */
export function newPassword(minimumLength: number) {
  return z
    .string()
    .refine((password) => [...password].length >= minimumLength, {
      error: `must have at least ${minimumLength} characters`,
    })
    .refine((password) => [...password].length <= 256, { error: 'must have at most 256 characters' })
}

export function registerBody(minimumPasswordLength: number) {
  return z.strictObject({
    email,
    password: newPassword(minimumPasswordLength),
    display_name: z
      .string()
      .trim()
      .min(1)
      .max(80)
      .regex(/^\P{Cc}*$/u, { error: 'must not contain control characters' })
      .optional(),
  })
}

export const loginBody = z.strictObject({
  email,
  password: z.string().min(1).max(1024),
})

/** RFC 6749, section 6, for the token alone. */
export const refreshBody = z.strictObject({ refresh_token: z.string().min(1).max(512) })
export const logoutBody = refreshBody

export interface RegisterAnswer {
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
