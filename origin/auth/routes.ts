import { Hono } from 'hono'
import { type AcceptedAnswer, loginBody, registerBody } from '../../shared/contract.ts'
import type { CookieOrigins } from '../http/cookie-origins.ts'
import { jsonBody } from '../http/json-body.ts'
import type { OriginEnv } from '../http/request-context.ts'
import { readDeviceCookie, setDeviceCookie } from '../lockout/device-cookie.ts'
import type { RefreshCookie } from '../sessions/refresh-cookie.ts'
import { tokenAnswer } from '../sessions/token-answer.ts'
import type { AuthService } from './service.ts'

interface AuthRoutesOptions {
  auth: AuthService
  refreshCookie: RefreshCookie
  cookieOrigins: CookieOrigins
  passwordMinLength: number
}

export function createAuthRoutes({
  auth,
  refreshCookie,
  cookieOrigins,
  passwordMinLength,
}: AuthRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  routes.post('/register', ...jsonBody(registerBody(passwordMinLength)), async (c) => {
    const { email, password, display_name: displayName = null } = c.req.valid('json')
    await auth.register({ email, password, displayName }, c.get('context'))
    return c.json({ status: 'accepted' } satisfies AcceptedAnswer, 202)
  })

  routes.post('/login', ...jsonBody(loginBody), async (c) => {
    const { email, password, token_delivery: delivery } = c.req.valid('json')
    if (delivery === 'cookie') cookieOrigins.requireAllowed(c)
    const deviceToken = readDeviceCookie(c)
    const loggedIn = await auth.login({ email, password, deviceToken }, c.get('context'))
    if (cookieOrigins.mayRemember(c)) setDeviceCookie(c, loggedIn.deviceToken)
    return tokenAnswer(c, loggedIn.tokens, delivery, refreshCookie)
  })

  return routes
}
