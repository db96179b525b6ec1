import { Hono } from 'hono'
import { type EntitlementsResponse, type InternalUserResponse, services } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { ServiceEnv } from '../oauth/tokens/require-service.ts'
import { serveService } from '../oauth/tokens/serve-service.ts'
import type { Directory } from './directory.ts'
import type { AccountState } from './directory-queries.ts'

const { findAccount, readAccount, readEntitlements, listEntitlements } = services.endpoints

/** Accounts and their entitlements, for services. */
export function createDirectoryRoutes({ directory }: { directory: Directory }) {
  const routes = new Hono<ServiceEnv>()

  serveService(routes, findAccount, async ({ query, respond }) => {
    const { email, fresh } = query
    const found = await directory.find({ email }, { fresh })
    return respond({ items: found.map(userResponse) })
  })

  serveService(routes, readAccount, async ({ params, query, respond }) =>
    respond(userResponse(await findOne(params.id, query))),
  )

  serveService(routes, readEntitlements, async ({ params, query, respond }) =>
    respond(entitlementsResponse(await findOne(params.id, query))),
  )

  serveService(routes, listEntitlements, async ({ body, query: { fresh }, respond }) => {
    const ids = [...new Set(body.user_ids)]
    const found = await directory.find({ ids }, { fresh })
    const byId = new Map(found.map((account) => [account.id, account]))
    const inOrder = ids.map((id) => byId.get(id)).filter((account) => account !== undefined)
    return respond({
      items: inOrder.map(entitlementsResponse),
      missing: ids.filter((id) => !byId.has(id)),
    })
  })

  /** @throws Problem `not_found` */
  async function findOne(id: string, { fresh }: { fresh: boolean }): Promise<AccountState> {
    const [account] = await directory.find({ ids: [id] }, { fresh })
    if (!account) throw new Problem('not_found')
    return account
  }

  return routes
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

/** A disabled account has neither permissions nor features. */
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
