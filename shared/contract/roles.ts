import { z } from 'zod'
import { defineEndpointGroup, ok } from '../endpoint/endpoint.ts'
import { permissionName } from './fields.ts'
import { list } from './lists.ts'

const rolePermissionsBody = z.strictObject({ permissions: z.array(permissionName).max(100) })

const roleResponse = z
  .object({
    name: z.string(),
    level: z.int(),
    description: z.string(),
    permissions: z.array(z.string()),
  })
  .meta({ id: 'Role' })

export type RoleResponse = z.output<typeof roleResponse>

const permissionItem = z.object({ name: z.string(), description: z.string() }).meta({ id: 'Permission' })

export type PermissionItem = z.output<typeof permissionItem>

export const roles = defineEndpointGroup({
  name: 'Roles',
  description: 'Roles have levels from 0 to 100, and permissions.',
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
    setRolePermissions: {
      method: 'PUT',
      path: '/admin/roles/{name}/permissions',
      summary: 'Replace the permissions of a role',
      body: rolePermissionsBody,
      responses: ok('The role after the change.', roleResponse),
      errors: ['escalation_refused'],
    },
  },
})
