import { Hono } from 'hono'
import { oauth } from '../../shared/contract.ts'
import type { OriginEnv } from '../http/request-context.ts'
import { serve } from '../http/serve.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import { authorizationServerMetadata } from '../oauth/metadata.ts'

interface WellKnownRoutesOptions {
  keys: Pick<KeyRing, 'published'>
  issuer: string
  /** Whether tokens of former systems are exchanged. */
  exchangesTokens: boolean
}

/** Public routes: anyone may verify a token that the origin signed. */
export function createWellKnownRoutes({ keys, issuer, exchangesTokens }: WellKnownRoutesOptions) {
  const routes = new Hono<OriginEnv>()
  serve(routes, oauth.endpoints.readKeys, ({ respond }, c) => {
    c.header('cache-control', 'public, max-age=60')
    return respond({ keys: [...keys.published()] })
  })
  serve(routes, oauth.endpoints.readMetadata, ({ respond }) =>
    respond(authorizationServerMetadata(issuer, { exchangesTokens })),
  )
  return routes
}
