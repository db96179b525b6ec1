import { z } from 'zod'
import { canonicalEmail, longestEmail } from '../lib/email.ts'
import { displayable, permissionName, roleName, userStatus, utcDateTime } from './fields.ts'

export const changeRoleBody = z.strictObject({ role: roleName })

/** The reason goes into the audit log alone. */
export const disableBody = z.strictObject({
  reason: z.string().trim().min(1).max(500).regex(displayable).optional(),
})

export const rolePermissionsBody = z.strictObject({ permissions: z.array(permissionName).max(100) })

export const userFilters = {
  email_prefix: z
    .string()
    .min(1)
    .max(longestEmail)
    .regex(displayable, { error: 'is not the beginning of an address' })
    // One with a whole domain has the one form of an address, a part of a domain cannot.
    .transform((text) => canonicalEmail(text) ?? text)
    .optional()
    .meta({ description: 'What the address begins with, in any letter case.' }),
  role: roleName.optional(),
  status: userStatus.optional(),
}

/** An account as people who run the product see it in a list. */
export const userItem = z
  .object({
    id: z.uuid(),
    email: z.string(),
    display_name: z.string().nullable(),
    role: z.string(),
    status: userStatus,
    email_verified: z.boolean(),
    created_at: utcDateTime,
  })
  .meta({ id: 'UserItem' })

export type UserItem = z.output<typeof userItem>

/**
 * `locked_until` ends the lockout of unknown devices after failed logins; an admin changes `status`
 * by disabling or enabling.
 */
export const userResponse = z
  .object({
    ...userItem.shape,
    level: z.int(),
    plan: z.string(),
    locked_until: utcDateTime.nullable(),
  })
  .meta({ id: 'User' })

export type UserResponse = z.output<typeof userResponse>

export const roleResponse = z
  .object({
    name: z.string(),
    level: z.int(),
    description: z.string(),
    permissions: z.array(z.string()),
  })
  .meta({ id: 'Role' })

export type RoleResponse = z.output<typeof roleResponse>

export const permissionItem = z
  .object({ name: z.string(), description: z.string() })
  .meta({ id: 'Permission' })

export type PermissionItem = z.output<typeof permissionItem>
