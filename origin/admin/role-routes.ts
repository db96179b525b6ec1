import { Hono } from 'hono'
import { z } from 'zod'
import { type PermissionItem, type RoleResponse, rolePermissionsBody } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { Sql } from '../db/types.ts'
import { jsonBody } from '../http/json-body.ts'
import { listQuery, listResponse } from '../http/pagination.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import { type Role, selectPermissionPage, selectRolePage } from './role-queries.ts'
import type { RoleOutcome, RoleService } from './role-service.ts'

interface RoleRoutesOptions {
  sql: Sql
  roles: RoleService
}

const byName = listQuery({}, z.tuple([z.string().regex(/^[a-z_.]{1,80}$/)]))
const readUsers = requireAuthorization({ permissions: { all: ['users.read'] } })
const manageRoles = requireAuthorization({ permissions: { all: ['roles.manage'] } })

/** Roles, and what they may do. */
export function createRoleRoutes({ sql, roles }: RoleRoutesOptions) {
  const routes = new Hono<OriginEnv>()
  const position = ({ name }: { name: string }) => [name]

  routes.get('/roles', readUsers, byName, async (c) => {
    const { limit, cursor } = c.req.valid('query')
    const rows = await selectRolePage(sql, { after: cursor?.[0] ?? '', limit })
    return listResponse(c, rows, { limit, position, item: (role): RoleResponse => role })
  })

  routes.get('/permissions', readUsers, byName, async (c) => {
    const { limit, cursor } = c.req.valid('query')
    const rows = await selectPermissionPage(sql, { after: cursor?.[0] ?? '', limit })
    return listResponse(c, rows, { limit, position, item: (permission): PermissionItem => permission })
  })

  routes.put('/roles/:name/permissions', manageRoles, ...jsonBody(rolePermissionsBody), async (c) => {
    const outcome = await roles.setPermissions({
      role: c.req.param('name'),
      permissions: c.req.valid('json').permissions,
      actorId: requireUser(c.get('user')).sub,
      context: c.get('context'),
    })
    return c.json(changedRole(outcome) satisfies RoleResponse)
  })

  return routes
}

/** @throws Problem `not_found`, `validation_failed`, `escalation_refused` */
function changedRole(outcome: RoleOutcome): Role {
  switch (outcome.kind) {
    case 'changed':
      return outcome.role
    case 'unknown_role':
      throw new Problem('not_found')
    case 'unknown_permissions': {
      const errors = outcome.positions.map((position) => ({
        pointer: `/permissions/${position}`,
        detail: 'is not the name of a permission',
      }))
      throw new Problem('validation_failed', { members: { errors } })
    }
    case 'refused':
      throw new Problem('escalation_refused', { members: { reason: outcome.reason } })
  }
}
