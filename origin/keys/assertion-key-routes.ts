import { Hono } from 'hono'
import { gatewayReports, oauth } from '../../shared/contract.ts'
import type { OriginEnv } from '../http/request-context.ts'
import { serve } from '../http/serve.ts'
import type { AssertionKeys } from './assertion-keys.ts'

interface AssertionKeyRoutesOptions {
  assertionKeys: Pick<AssertionKeys, 'published' | 'encryptFor'>
}

/** For anybody: the public keys by which services verify assertions. */
export function createAssertionKeyRoutes({ assertionKeys }: AssertionKeyRoutesOptions) {
  const routes = new Hono<OriginEnv>()
  serve(routes, oauth.endpoints.readAssertionKeys, ({ respond }, c) => {
    c.header('cache-control', 'public, max-age=60')
    return respond({ keys: assertionKeys.published() })
  })
  return routes
}

/** For gateways: the private key with which they sign. */
export function createAssertionKeyGatewayRoutes({ assertionKeys }: AssertionKeyRoutesOptions) {
  const routes = new Hono<OriginEnv>()
  serve(routes, gatewayReports.endpoints.readAssertionKey, async ({ body, respond }) =>
    respond({ encrypted_key: (await assertionKeys.encryptFor(body.request)) ?? null }),
  )
  return routes
}
