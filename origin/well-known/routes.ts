import { Hono } from 'hono'
import type { OriginEnv } from '../http/request-context.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import { authorizationServerMetadata } from '../oauth/metadata.ts'

interface WellKnownRoutesOptions {
  keys: Pick<KeyRing, 'published'>
  issuer: string
}

/** Public by nature: anyone may check a token that we signed. */
export function createWellKnownRoutes({ keys, issuer }: WellKnownRoutesOptions) {
  const routes = new Hono<OriginEnv>()
  routes.get('/jwks.json', (c) =>
    c.json({ keys: keys.published() }, 200, { 'cache-control': 'public, max-age=60' }),
  )
  routes.get('/oauth-authorization-server', (c) => c.json(authorizationServerMetadata(issuer)))
  return routes
}
