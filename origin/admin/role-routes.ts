import { Hono } from 'hono'
import { z } from 'zod'
import { roles as contract, type PermissionItem } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { Sql } from '../db/types.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import { serve } from '../http/serve.ts'
import { serveList } from '../http/serve-list.ts'
import { type Role, selectPermissionPage, selectRolePage } from './role-queries.ts'
import type { RoleOutcome, RoleService } from './role-service.ts'

interface RoleRoutesOptions {
  sql: Sql
  roles: RoleService
}

const { listRoles, listPermissions, setRolePermissions } = contract.endpoints

const byName = {
  position: z.tuple([z.string().regex(/^[a-z_.]{1,80}$/)]),
  positionOf: ({ name }: { name: string }): [string] => [name],
}
const readUsers = requireAuthorization({ permissions: { all: ['users.read'] } })
const manageRoles = requireAuthorization({ permissions: { all: ['roles.manage'] } })

/** Roles and their permissions. */
export function createRoleRoutes({ sql, roles }: RoleRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  serveList(routes, listRoles, readUsers, { ...byName, item: (role: Role) => role }, ({ limit, after }) =>
    selectRolePage(sql, { after: after?.[0] ?? '', limit }),
  )

  serveList(
    routes,
    listPermissions,
    readUsers,
    { ...byName, item: (permission: PermissionItem) => permission },
    ({ limit, after }) => selectPermissionPage(sql, { after: after?.[0] ?? '', limit }),
  )

  serve(routes, setRolePermissions, manageRoles, async ({ params, body, respond }, c) => {
    const outcome = await roles.setPermissions({
      role: params.name,
      permissions: body.permissions,
      actorId: requireUser(c.get('user')).sub,
      context: c.get('context'),
    })
    return respond(changedRole(outcome))
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
    case 'rejected':
      throw new Problem('escalation_refused', { members: { reason: outcome.reason } })
  }
}
