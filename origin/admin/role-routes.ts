import { type Context, Hono } from 'hono'
import { every } from 'hono/combine'
import * as z from 'zod'
import { roles as contract, type PermissionItem, type RoleResponse } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import { type Catalogue, findByName, type Role } from '../catalogue/catalogue.ts'
import { conflictProblem, unknownNamesProblem } from '../catalogue/problems.ts'
import type { Sql } from '../db/types.ts'
import type { RequireStepUp } from '../factors/assurance.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import { serve } from '../http/serve.ts'
import { serveList } from '../http/serve-list.ts'
import * as edits from './role-edits.ts'
import { selectPermissionPage, selectRolePage } from './role-queries.ts'
import type { RoleOutcome, RoleService } from './role-service.ts'

interface RoleRoutesOptions {
  sql: Sql
  roles: RoleService
  requireStepUp: RequireStepUp
}

const { listRoles, createRole, updateRole, setRolePermissions, deleteRole } = contract.endpoints
const { listPermissions, createPermission, updatePermission, deletePermission } = contract.endpoints

const byName = {
  position: z.tuple([z.string().regex(/^[a-z_.]{1,80}$/)]),
  positionOf: ({ name }: { name: string }): [string] => [name],
}
const readUsers = requireAuthorization({ permissions: { all: ['users.read'] } })
const manageRoles = requireAuthorization({ permissions: { all: ['roles.manage'] } })

/** Roles and their permissions. */
export function createRoleRoutes({ sql, roles, requireStepUp }: RoleRoutesOptions) {
  const routes = new Hono<OriginEnv>()
  const changeRoles = every(manageRoles, requireStepUp())

  /**
   * @throws Problem `not_found`, `validation_failed`, `escalation_refused`, `name_taken`, `in_use`,
   *   `tokens_too_large`
   */
  async function edit(c: Context<OriginEnv>, attempted: string, evaluate: edits.EvaluateRoleEdit) {
    const action = { attempted, actorId: requireUser(c.get('user')).sub, context: c.get('context') }
    return requireDone(await roles.edit(action, evaluate))
  }

  serveList(routes, listRoles, readUsers, { ...byName, item: roleResponse }, ({ limit, after }) =>
    selectRolePage(sql, { after: after?.[0] ?? '', limit }),
  )

  serve(routes, createRole, changeRoles, async ({ body, respond }, c) =>
    respond(roleOf(await edit(c, `role ${body.name}`, edits.createRole(body)), body.name)),
  )

  serve(routes, updateRole, changeRoles, async ({ params: { name }, body, respond }, c) => {
    const { level, description, is_default: isDefault } = body
    const change = edits.changeRole(name, { level, description, isDefault })
    return respond(roleOf(await edit(c, `role ${name}`, change), name))
  })

  serve(routes, setRolePermissions, changeRoles, async ({ params: { name }, body, respond }, c) => {
    const change = edits.setRolePermissions(name, body.permissions)
    return respond(roleOf(await edit(c, `permissions of ${name}`, change), name))
  })

  serve(routes, deleteRole, changeRoles, async ({ params: { name }, respond }, c) => {
    await edit(c, `removal of role ${name}`, edits.removeRole(name))
    return respond()
  })

  serveList(
    routes,
    listPermissions,
    readUsers,
    { ...byName, item: (permission: PermissionItem) => permission },
    ({ limit, after }) => selectPermissionPage(sql, { after: after?.[0] ?? '', limit }),
  )

  serve(routes, createPermission, changeRoles, async ({ body, respond }, c) => {
    await edit(c, `permission ${body.name}`, edits.createPermission(body))
    return respond(body)
  })

  serve(routes, updatePermission, changeRoles, async ({ params: { name }, body, respond }, c) => {
    const permission = { name, description: body.description }
    await edit(c, `permission ${name}`, edits.changePermission(permission))
    return respond(permission)
  })

  serve(routes, deletePermission, changeRoles, async ({ params: { name }, respond }, c) => {
    await edit(c, `removal of permission ${name}`, edits.removePermission(name))
    return respond()
  })

  return routes
}

function roleResponse({ name, level, description, isDefault, permissions }: Role): RoleResponse {
  return { name, level, description, is_default: isDefault, permissions }
}

/** @throws Problem `not_found` */
function roleOf({ roles }: Catalogue, name: string): RoleResponse {
  const role = findByName(roles, name)
  if (!role) throw new Problem('not_found')
  return roleResponse(role)
}

/** @throws Problem */
function requireDone(outcome: RoleOutcome): Catalogue {
  switch (outcome.kind) {
    case 'done':
      return outcome.catalogue
    case 'unknown_permissions':
      throw unknownNamesProblem('permissions', outcome.positions)
    case 'default_too_high': {
      const errors = [{ pointer: '/level', detail: 'new accounts would administer the product' }]
      throw new Problem('validation_failed', { members: { errors } })
    }
    case 'rejected':
      throw new Problem('escalation_refused', { members: { reason: outcome.reason } })
    default:
      throw conflictProblem(outcome)
  }
}
