import { Hono } from 'hono'
import type { Lockout } from '../auth/lockout.ts'
import { type OriginEnv, requireUser } from '../caller.ts'
import { requireUuid } from '../path-parameters.ts'

interface AdminRoutesOptions {
  lockout: Pick<Lockout, 'unlock'>
}

/** For people who run the product; the policy table asks for their permissions. */
export function createAdminRoutes({ lockout }: AdminRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  routes.post('/users/:id/unlock', async (c) => {
    const { sub: actorId } = requireUser(c.get('user'))
    await lockout.unlock(requireUuid(c.req.param('id')), actorId, c.get('client'))
    return c.body(null, 204)
  })

  return routes
}
