import * as z from 'zod'
import { defineEndpointGroup, noContent, ok } from '../../endpoint/endpoint.ts'
import { permissionName, roleLevel, roleName } from '../fields.ts'
import { list } from '../lists.ts'
import { catalogueTexts } from './fields.ts'

const rolePermissionsBody = z.strictObject({ permissions: z.array(permissionName).max(500) })

const createRoleBody = z.strictObject({
  name: roleName,
  level: roleLevel,
  description: catalogueTexts.description,
  ...rolePermissionsBody.shape,
})

const changeRoleBody = z
  .strictObject({
    level: roleLevel.optional(),
    description: catalogueTexts.description.optional(),
    /** Another role becomes that of new accounts by the same field of its own. */
    is_default: z.literal(true).optional(),
  })
  .refine((body) => Object.keys(body).length > 0, { error: 'changes nothing' })
  .meta({ minProperties: 1 })

const createPermissionBody = z.strictObject({
  name: permissionName,
  description: catalogueTexts.description,
})

const changePermissionBody = z.strictObject({ description: catalogueTexts.description })

/** `is_default`: new accounts have it. */
const roleResponse = z
  .object({
    name: z.string(),
    level: z.int(),
    description: z.string(),
    is_default: z.boolean(),
    permissions: z.array(z.string()),
  })
  .meta({ id: 'Role' })

export type RoleResponse = z.output<typeof roleResponse>

const permissionItem = z.object({ name: z.string(), description: z.string() }).meta({ id: 'Permission' })

export type PermissionItem = z.output<typeof permissionItem>

export const roles = defineEndpointGroup({
  name: 'Roles',
  description:
    'Roles have levels from 0 to 100, and permissions. Nobody changes a role at or above their own level, or gives a permission that ' +
    'they lack: `escalation_refused`.',
  endpoints: {
    listRoles: {
      method: 'GET',
      path: '/admin/roles',
      summary: 'List roles with their permissions',
      ...list(roleResponse),
    },
    listPermissions: {
      method: 'GET',
      path: '/admin/permissions',
      summary: 'List permissions',
      ...list(permissionItem),
    },
    createRole: {
      method: 'POST',
      path: '/admin/roles',
      summary: 'Create a role',
      body: createRoleBody,
      responses: ok('The role.', roleResponse),
      errors: ['escalation_refused', 'step_up_required', 'name_taken', 'tokens_too_large'],
    },
    updateRole: {
      method: 'PATCH',
      path: '/admin/roles/{name}',
      summary: 'Change level or description of a role, or make it that of new accounts',
      body: changeRoleBody,
      responses: ok('The role after the change.', roleResponse),
      errors: ['escalation_refused', 'step_up_required', 'tokens_too_large'],
    },
    deleteRole: {
      method: 'DELETE',
      path: '/admin/roles/{name}',
      summary: 'Remove a role that no account has',
      responses: noContent('The role is gone.'),
      errors: ['escalation_refused', 'step_up_required', 'in_use'],
    },
    createPermission: {
      method: 'POST',
      path: '/admin/permissions',
      summary: 'Create a permission',
      description: 'The roles of level 100 get it, so that a superadmin can give it to others.',
      body: createPermissionBody,
      responses: ok('The permission.', permissionItem),
      errors: ['escalation_refused', 'step_up_required', 'name_taken', 'tokens_too_large'],
    },
    updatePermission: {
      method: 'PATCH',
      path: '/admin/permissions/{name}',
      summary: 'Change the description of a permission',
      body: changePermissionBody,
      responses: ok('The permission after the change.', permissionItem),
      errors: ['escalation_refused', 'step_up_required'],
    },
    deletePermission: {
      method: 'DELETE',
      path: '/admin/permissions/{name}',
      summary: 'Remove a permission that no role below level 100 has',
      responses: noContent('The permission is gone.'),
      errors: ['escalation_refused', 'step_up_required', 'in_use'],
    },
    setRolePermissions: {
      method: 'PUT',
      path: '/admin/roles/{name}/permissions',
      summary: 'Replace the permissions of a role',
      body: rolePermissionsBody,
      responses: ok('The role after the change.', roleResponse),
      errors: ['escalation_refused', 'step_up_required', 'tokens_too_large'],
    },
  },
})
