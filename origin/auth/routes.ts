import { Hono } from 'hono'
import {
  loginBody,
  logoutBody,
  type RegisterAnswer,
  refreshBody,
  registerBody,
} from '../../shared/contract.ts'
import type { OriginEnv } from '../caller.ts'
import { jsonBody, requireJson } from '../json-body.ts'
import type { AuthService } from './service.ts'

interface AuthRoutesOptions {
  auth: AuthService
  passwordMinLength: number
}

export function createAuthRoutes({ auth, passwordMinLength }: AuthRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  /** Tokens must not rest in a cache on the way (RFC 6749, section 5.1). */
  routes.use(async function noStore(c, next) {
    await next()
    c.header('cache-control', 'no-store')
  })
  routes.use(requireJson)

  routes.post('/register', jsonBody(registerBody(passwordMinLength)), async (c) => {
    const { email, password, display_name: displayName = null } = c.req.valid('json')
    await auth.register({ email, password, displayName }, c.get('client'))
    return c.json({ status: 'accepted' } satisfies RegisterAnswer, 202)
  })

  routes.post('/login', jsonBody(loginBody), async (c) => {
    const { email, password } = c.req.valid('json')
    return c.json(await auth.login(email, password, c.get('client')))
  })

  routes.post('/refresh', jsonBody(refreshBody), async (c) => {
    return c.json(await auth.refresh(c.req.valid('json').refresh_token, c.get('client')))
  })

  routes.post('/logout', jsonBody(logoutBody), async (c) => {
    await auth.logout(c.req.valid('json').refresh_token, c.get('client'))
    return c.body(null, 204)
  })

  return routes
}
