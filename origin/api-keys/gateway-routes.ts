import { Hono } from 'hono'
import { gatewayReports } from '../../shared/contract.ts'
import type { Log } from '../../shared/lib/log.ts'
import type { Queryable } from '../db/types.ts'
import type { OriginEnv } from '../http/request-context.ts'
import { serve } from '../http/serve.ts'
import type { ExchangeApiKey } from './exchange.ts'
import { insertNetworkRefusals, updateLastUsed } from './queries.ts'

interface ApiKeyGatewayRoutesOptions {
  sql: Queryable
  exchangeApiKey: ExchangeApiKey
  log: Log
}

const { exchangeApiKey: exchange, reportApiKeyUses } = gatewayReports.endpoints

/** Exchanges API keys for gateways, and stores their reports of the use of keys. */
export function createApiKeyGatewayRoutes({ sql, exchangeApiKey, log }: ApiKeyGatewayRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  serve(routes, exchange, async ({ body, respond }) =>
    respond(await exchangeApiKey(Buffer.from(body.key_hash, 'base64url'))),
  )

  serve(routes, reportApiKeyUses, async ({ body: { dropped, uses }, respond }, c) => {
    const used = uses.filter(({ outcome }) => outcome === 'used')
    if (used.length > 0) await updateLastUsed(sql, used)
    const refused = uses.filter(({ outcome }) => outcome === 'network_refused')
    if (refused.length > 0) await insertNetworkRefusals(sql, refused, c.get('requestId'))
    if (dropped > 0) log.warn({ dropped }, 'the use of API keys has a gap')
    return respond()
  })

  return routes
}
