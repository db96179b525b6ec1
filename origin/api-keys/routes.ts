import { type Context, Hono } from 'hono'
import { type ApiKeyItem, apiKeys as contract } from '../../shared/contract/credentials/api-keys.ts'
import { Problem } from '../../shared/http/errors.ts'
import { upgradeUrl } from '../../shared/http/upgrade-url.ts'
import type { AdminAction } from '../admin/authority.ts'
import { selectUser } from '../admin/user-queries.ts'
import type { Sql } from '../db/types.ts'
import type { RequireStepUp } from '../factors/assurance.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import { serve } from '../http/serve.ts'
import type { ApiKeyRow } from './queries.ts'
import { apiKeyFeature } from './rules.ts'
import type { ApiKeyService, CreateOutcome, RevokeOutcome } from './service.ts'

interface ApiKeyRoutesOptions {
  sql: Sql
  apiKeys: ApiKeyService
  /** Page to buy a plan. */
  upgradePage: string
  requireStepUp: RequireStepUp
}

const { listApiKeys, createApiKey, revokeApiKey, revokeApiKeys } = contract.endpoints
const { listUserApiKeys, revokeUserApiKey, revokeUserApiKeys } = contract.endpoints

const signedIn = requireAuthorization({})
const readUsers = requireAuthorization({ permissions: { all: ['users.read'] } })
const manageUsers = requireAuthorization({ permissions: { all: ['users.manage'] } })

/** API keys, for their owners and for administrators. */
export function createApiKeyRoutes({ sql, apiKeys, upgradePage, requireStepUp }: ApiKeyRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  const change = (userId: string, c: Context<OriginEnv>): AdminAction => ({
    userId,
    actorId: requireUser(c.get('user')).sub,
    context: c.get('context'),
  })

  serve(routes, listApiKeys, signedIn, async ({ respond }, c) => {
    const rows = await apiKeys.list(requireUser(c.get('user')).sub)
    return respond({ api_keys: rows.map(apiKeyItem) })
  })

  serve(routes, createApiKey, requireStepUp(), async ({ body, respond }, c) => {
    const { name, permissions, networks, expires_at: expiresAt } = body
    const { sub } = requireUser(c.get('user'))
    const outcome = await apiKeys.create(sub, { name, permissions, networks, expiresAt }, c.get('context'))
    const { row, key } = requireCreated(outcome, upgradePage)
    return respond({ ...apiKeyItem(row), key })
  })

  serve(routes, revokeApiKeys, signedIn, async ({ respond }, c) => {
    requireDone(await apiKeys.revokeOwn(requireUser(c.get('user')).sub, undefined, c.get('context')))
    return respond()
  })

  serve(routes, revokeApiKey, signedIn, async ({ params, respond }, c) => {
    requireDone(await apiKeys.revokeOwn(requireUser(c.get('user')).sub, params.id, c.get('context')))
    return respond()
  })

  serve(routes, listUserApiKeys, readUsers, async ({ params, respond }) => {
    if (!(await selectUser(sql, params.id))) throw new Problem('not_found')
    return respond({ api_keys: (await apiKeys.list(params.id)).map(apiKeyItem) })
  })

  serve(routes, revokeUserApiKeys, manageUsers, async ({ params, respond }, c) => {
    requireDone(await apiKeys.revokeOf(change(params.id, c)))
    return respond()
  })

  serve(routes, revokeUserApiKey, manageUsers, async ({ params, respond }, c) => {
    requireDone(await apiKeys.revokeOf(change(params.id, c), params.key_id))
    return respond()
  })

  return routes
}

/** @throws Problem with the reason of the rejection */
function requireCreated(outcome: CreateOutcome, upgradePage: string) {
  switch (outcome.kind) {
    case 'created':
      return outcome
    case 'unknown_user':
      throw new Problem('not_found')
    case 'too_many':
      throw new Problem('too_many_api_keys', { members: { limit: outcome.limit } })
    case 'lacks_permission':
      throw new Problem('permission_required', {
        members: { required_permissions: { all: outcome.missing } },
      })
    case 'lacks_feature':
      throw new Problem('feature_required', {
        members: {
          required_feature: apiKeyFeature,
          current_plan: outcome.plan,
          upgrade_url: upgradeUrl(upgradePage),
        },
      })
    case 'expires_too_early':
      throw invalidExpiry('must be in the future')
    case 'expires_too_late':
      throw invalidExpiry(`must be at most ${outcome.maxDays} days ahead`)
  }
}

const invalidExpiry = (detail: string) =>
  new Problem('validation_failed', { members: { errors: [{ pointer: '/expires_at', detail }] } })

/** @throws Problem `not_found`, `escalation_refused` */
function requireDone(outcome: RevokeOutcome): void {
  switch (outcome.kind) {
    case 'done':
      return
    case 'unknown_user':
    case 'unknown_key':
      throw new Problem('not_found')
    case 'rejected':
      throw new Problem('escalation_refused', { members: { reason: outcome.reason } })
  }
}

function apiKeyItem(row: ApiKeyRow): ApiKeyItem {
  return {
    id: row.id,
    name: row.name,
    hint: row.hint,
    permissions: row.permissions,
    networks: row.networks,
    created_at: row.createdAt.toISOString(),
    expires_at: row.expiresAt.toISOString(),
    last_used_at: row.lastUsedAt?.toISOString() ?? null,
  }
}
