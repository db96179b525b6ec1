import { z } from 'zod'
import { displayable } from './fields.ts'

/**
 * What a gateway tells of requests that its limits refused; `dropped` are those it could not keep.
 * Methods and routes are as the policy table has them.
 */
export const rateLimitReport = z.strictObject({
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

export type RateLimitReport = z.output<typeof rateLimitReport>

/**
 * What a gateway tells of people signed in who asked for what their role may not do; else as
 * `rateLimitReport`.
 */
export const denialReport = z.strictObject({
  dropped: z.int().min(0),
  denials: z
    .array(
      z.strictObject({
        user_id: z.uuid(),
        session_id: z.uuid(),
        code: z.enum(['permission_required', 'level_required']),
        method: z.string().regex(/^[A-Z]{1,20}$/),
        route: z.string().min(1).max(200).regex(displayable),
        count: z.int().min(1).max(2_147_483_647),
      }),
    )
    .max(1000),
})

export type DenialReport = z.output<typeof denialReport>

/** Ids may come twice and in any letter case. */
export const entitlementsBody = z.strictObject({
  user_ids: z.array(z.guid().toLowerCase()).max(1000),
})

/** For services: an account as it was at `as_of`. */
export interface InternalUserResponse {
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
export interface InternalUsersResponse {
  items: InternalUserResponse[]
}

/**
 * For services: what an account may do, as it was at `as_of`. Permissions and features of a
 * disabled one are empty.
 */
export interface EntitlementsResponse {
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
export interface EntitlementsListResponse {
  items: EntitlementsResponse[]
  missing: string[]
}
