import { type Context, Hono } from 'hono'
import { z } from 'zod'
import { displayable, moment } from '../../shared/contract/fields.ts'
import {
  changeRoleBody,
  disableBody,
  type SessionItem,
  type UserItem,
  type UserResponse,
  userFilters,
} from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { Sql } from '../db/types.ts'
import { jsonBody } from '../http/json-body.ts'
import { listQuery, listResponse } from '../http/pagination.ts'
import { requireUuid } from '../http/path-parameters.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import type { Change } from './authority.ts'
import {
  type ListedSession,
  type ListedUser,
  selectSessionPage,
  selectUser,
  selectUserPage,
} from './user-queries.ts'
import type { ChangeOutcome, UserService } from './user-service.ts'

interface UserRoutesOptions {
  sql: Sql
  users: UserService
}

const userQuery = listQuery(userFilters, z.tuple([z.string().max(254).regex(displayable)]))

const sessionQuery = listQuery({}, z.tuple([moment, z.guid()]))

const readUsers = requireAuthorization({ permissions: { all: ['users.read'] } })
const manageUsers = requireAuthorization({ permissions: { all: ['users.manage'] } })

/** Accounts, for people who run the product. */
export function createUserRoutes({ sql, users }: UserRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  const change = (c: Context<OriginEnv>): Change => ({
    userId: requireUuid(c.req.param('id') ?? ''),
    actorId: requireUser(c.get('user')).sub,
    context: c.get('context'),
  })

  routes.get('/', readUsers, userQuery, async (c) => {
    const { cursor, ...filters } = c.req.valid('query')
    const rows = await selectUserPage(sql, { ...filters, after: cursor?.[0] })
    return listResponse(c, rows, { limit: filters.limit, position: (row) => [row.position], item: userItem })
  })

  routes.get('/:id', readUsers, async (c) => {
    const user = await selectUser(sql, requireUuid(c.req.param('id')))
    if (!user) throw new Problem('not_found')
    const lockedUntil = user.lockedUntil?.toISOString() ?? null
    const { level, plan } = user
    return c.json({ ...userItem(user), level, plan, locked_until: lockedUntil } satisfies UserResponse)
  })

  routes.put('/:id/role', manageUsers, ...jsonBody(changeRoleBody), async (c) =>
    respond(c, await users.changeRole(change(c), c.req.valid('json').role)),
  )

  routes.post('/:id/lock', manageUsers, ...jsonBody(disableBody), async (c) =>
    respond(c, await users.disable(change(c), c.req.valid('json').reason ?? null)),
  )

  routes.post('/:id/unlock', manageUsers, async (c) => respond(c, await users.enable(change(c))))

  routes.get('/:id/sessions', readUsers, sessionQuery, async (c) => {
    const { limit, cursor } = c.req.valid('query')
    const userId = requireUuid(c.req.param('id'))
    if (!(await selectUser(sql, userId))) throw new Problem('not_found')
    const rows = await selectSessionPage(sql, userId, { after: cursor, limit })
    return listResponse(c, rows, { limit, position: (row) => [row.createdAt, row.id], item: sessionItem })
  })

  routes.delete('/:id/sessions', manageUsers, async (c) => respond(c, await users.endSessions(change(c))))

  routes.delete('/:id/sessions/:session_id', manageUsers, async (c) =>
    respond(c, await users.endSessions(change(c), requireUuid(c.req.param('session_id')))),
  )

  return routes
}

/** @throws Problem `not_found`, `validation_failed`, `escalation_refused` */
function respond(c: Context<OriginEnv>, outcome: ChangeOutcome) {
  switch (outcome.kind) {
    case 'done':
      return c.body(null, 204)
    case 'unknown_user':
    case 'unknown_session':
      throw new Problem('not_found')
    case 'unknown_role': {
      const errors = [{ pointer: '/role', detail: 'is not the name of a role' }]
      throw new Problem('validation_failed', { members: { errors } })
    }
    case 'refused':
      throw new Problem('escalation_refused', { members: { reason: outcome.reason } })
  }
}

function userItem(user: Omit<ListedUser, 'position'>): UserItem {
  return {
    id: user.id,
    email: user.email,
    display_name: user.displayName,
    role: user.role,
    status: user.status,
    email_verified: user.emailVerified,
    created_at: user.createdAt.toISOString(),
  }
}

function sessionItem(session: ListedSession): SessionItem {
  return {
    id: session.id,
    ip: session.ip,
    user_agent: session.userAgent,
    created_at: session.createdAt,
    last_used_at: session.lastUsedAt.toISOString(),
    expires_at: session.expiresAt.toISOString(),
  }
}
