import { Hono } from 'hono'
import { z } from 'zod'
import { email as knownAddress } from '../../shared/contract/fields.ts'
import {
  type EntitlementsListResponse,
  type EntitlementsResponse,
  entitlementsBody,
  type InternalUserResponse,
  type InternalUsersResponse,
} from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import { jsonBody } from '../http/json-body.ts'
import { requireUuid } from '../http/path-parameters.ts'
import { queryParameters } from '../http/query-parameters.ts'
import { requireScope, type ServiceEnv } from '../oauth/require-service.ts'
import type { Directory } from './directory.ts'
import type { AccountState } from './directory-queries.ts'

const fresh = z.enum(['true', 'false']).default('false')
const freshQuery = query({ fresh })

/** Accounts and what they may do, for services. */
export function createDirectoryRoutes({ directory }: { directory: Directory }) {
  const routes = new Hono<ServiceEnv>()

  routes.get('/users', requireScope('users.read'), query({ email: knownAddress, fresh }), async (c) => {
    const { email, ...options } = c.req.valid('query')
    const found = await directory.find({ email }, freshness(options))
    return c.json({ items: found.map(userResponse) } satisfies InternalUsersResponse)
  })

  routes.get('/users/:id', requireScope('users.read'), freshQuery, async (c) =>
    c.json(userResponse(await findOne(c.req.param('id'), c.req.valid('query')))),
  )

  routes.get('/users/:id/entitlements', requireScope('entitlements.read'), freshQuery, async (c) =>
    c.json(entitlementsResponse(await findOne(c.req.param('id'), c.req.valid('query')))),
  )

  routes.post(
    '/entitlements',
    requireScope('entitlements.read'),
    freshQuery,
    ...jsonBody(entitlementsBody),
    async (c) => {
      const ids = [...new Set(c.req.valid('json').user_ids)]
      const found = await directory.find({ ids }, freshness(c.req.valid('query')))
      const byId = new Map(found.map((account) => [account.id, account]))
      const inOrder = ids.map((id) => byId.get(id)).filter((account) => account !== undefined)
      return c.json({
        items: inOrder.map(entitlementsResponse),
        missing: ids.filter((id) => !byId.has(id)),
      } satisfies EntitlementsListResponse)
    },
  )

  /** @throws Problem `not_found` */
  async function findOne(id: string, options: { fresh: string }): Promise<AccountState> {
    const [account] = await directory.find({ ids: [requireUuid(id).toLowerCase()] }, freshness(options))
    if (!account) throw new Problem('not_found')
    return account
  }

  return routes
}

const freshness = (options: { fresh: string }) => ({ fresh: options.fresh === 'true' })

function query<Shape extends z.ZodRawShape>(shape: Shape) {
  return queryParameters(z.strictObject(shape), 'path')
}

function userResponse(account: AccountState): InternalUserResponse {
  return {
    id: account.id,
    email: account.email,
    email_verified: account.emailVerified,
    display_name: account.displayName,
    status: account.status,
    role: account.role,
    level: account.level,
    plan: account.plan,
    created_at: account.createdAt.toISOString(),
    as_of: account.asOf.toISOString(),
  }
}

/** Whoever is disabled may do nothing, whatever their role and plan are. */
function entitlementsResponse(account: AccountState): EntitlementsResponse {
  const isActive = account.status === 'active'
  return {
    user_id: account.id,
    status: account.status,
    role: account.role,
    level: account.level,
    permissions: isActive ? account.permissions : [],
    plan: account.plan,
    features: isActive ? account.features : [],
    api_quota_per_hour: account.quota,
    as_of: account.asOf.toISOString(),
  }
}
