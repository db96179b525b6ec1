import { Hono } from 'hono'
import type { OriginEnv } from '../caller.ts'
import type { KeyRing } from '../keys/key-ring.ts'

/** Public by nature: anyone may check a token that we signed. */
export function createWellKnownRoutes({ keys }: { keys: Pick<KeyRing, 'published'> }) {
  const routes = new Hono<OriginEnv>()
  routes.get('/jwks.json', (c) =>
    c.json({ keys: keys.published() }, 200, { 'cache-control': 'public, max-age=60' }),
  )
  return routes
}
