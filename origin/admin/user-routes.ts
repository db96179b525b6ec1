import { type Context, Hono } from 'hono'
import { every } from 'hono/combine'
import * as z from 'zod'
import { displayable, moment } from '../../shared/contract/fields.ts'
import { users as contract, type SessionItem, type UserItem } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import { toMetadataResponse } from '../accounts/metadata-service.ts'
import { selectMetadata } from '../accounts/queries.ts'
import type { Sql } from '../db/types.ts'
import type { RequireStepUp } from '../factors/assurance.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import { serve } from '../http/serve.ts'
import { serveList } from '../http/serve-list.ts'
import type { AdminAction } from './authority.ts'
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
  requireStepUp: RequireStepUp
}

const { readUserMetadata, setUserMetadata, resetFactors } = contract.endpoints
const { listUsers, readUser, changeRole, lockUser, unlockUser, listSessions, endSessions, endSession } =
  contract.endpoints

const byEmail = {
  position: z.tuple([z.string().max(254).regex(displayable)]),
  positionOf: (row: ListedUser): [string] => [row.position],
  item: userItem,
}
const newestFirst = {
  position: z.tuple([moment, z.guid()]),
  positionOf: (row: ListedSession): [string, string] => [row.createdAt, row.id],
  item: sessionItem,
}

const readUsers = requireAuthorization({ permissions: { all: ['users.read'] } })
const manageUsers = requireAuthorization({ permissions: { all: ['users.manage'] } })

/** Accounts, for administrators. */
export function createUserRoutes({ sql, users, requireStepUp }: UserRoutesOptions) {
  const routes = new Hono<OriginEnv>()
  /** Changes that give, take or restore access. */
  const changeAccess = every(manageUsers, requireStepUp())
  const resetsFactors = every(manageUsers, requireStepUp('refused'))

  const change = (userId: string, c: Context<OriginEnv>): AdminAction => ({
    userId,
    actorId: requireUser(c.get('user')).sub,
    context: c.get('context'),
  })

  serveList(routes, listUsers, readUsers, byEmail, ({ filters, limit, after }) =>
    selectUserPage(sql, { ...filters, limit, after: after?.[0] }),
  )

  serve(routes, readUser, readUsers, async ({ params, respond }) => {
    const user = await selectUser(sql, params.id)
    if (!user) throw new Problem('not_found')
    const lockedUntil = user.lockedUntil?.toISOString() ?? null
    const { level, plan } = user
    return respond({ ...userItem(user), level, plan, locked_until: lockedUntil })
  })

  serve(routes, changeRole, changeAccess, async ({ params, body, respond }, c) => {
    requireDone(await users.changeRole(change(params.id, c), body.role))
    return respond()
  })

  async function metadataOf(userId: string) {
    const metadata = await selectMetadata(sql, userId)
    if (!metadata) throw new Problem('not_found')
    return toMetadataResponse(metadata)
  }

  serve(routes, readUserMetadata, readUsers, async ({ params, respond }) =>
    respond(await metadataOf(params.id)),
  )

  serve(routes, setUserMetadata, manageUsers, async ({ params, body, respond }, c) => {
    requireDone(await users.setMetadata(change(params.id, c), body.product_metadata))
    return respond(await metadataOf(params.id))
  })

  serve(routes, lockUser, changeAccess, async ({ params, body, respond }, c) => {
    requireDone(await users.disable(change(params.id, c), body.reason ?? null))
    return respond()
  })

  serve(routes, unlockUser, changeAccess, async ({ params, respond }, c) => {
    requireDone(await users.enable(change(params.id, c)))
    return respond()
  })

  serve(routes, resetFactors, resetsFactors, async ({ params, respond }, c) => {
    requireDone(await users.resetFactors(change(params.id, c)))
    return respond()
  })

  serveList(routes, listSessions, readUsers, newestFirst, async ({ params, limit, after }) => {
    if (!(await selectUser(sql, params.id))) throw new Problem('not_found')
    return selectSessionPage(sql, params.id, { after, limit })
  })

  serve(routes, endSessions, manageUsers, async ({ params, respond }, c) => {
    requireDone(await users.endSessions(change(params.id, c)))
    return respond()
  })

  serve(routes, endSession, manageUsers, async ({ params, respond }, c) => {
    requireDone(await users.endSessions(change(params.id, c), params.session_id))
    return respond()
  })

  return routes
}

/** @throws Problem `not_found`, `validation_failed`, `escalation_refused` */
function requireDone(outcome: ChangeOutcome): void {
  switch (outcome.kind) {
    case 'done':
      return
    case 'unknown_user':
    case 'unknown_session':
      throw new Problem('not_found')
    case 'unknown_role': {
      const errors = [{ pointer: '/role', detail: 'is not the name of a role' }]
      throw new Problem('validation_failed', { members: { errors } })
    }
    case 'rejected':
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
    amr: session.amr,
    acr: session.acr,
    auth_time: session.authenticatedAt.toISOString(),
  }
}
