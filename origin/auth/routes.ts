import { Hono } from 'hono'
import { createPasswordEndpoints, signingIn } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { CookieOrigins } from '../http/cookie-origins.ts'
import type { OriginEnv } from '../http/request-context.ts'
import { serve } from '../http/serve.ts'
import { readDeviceCookie, setDeviceCookie } from '../lockout/device-cookie.ts'
import { deliverTokens } from '../sessions/deliver-tokens.ts'
import type { RefreshCookie } from '../sessions/refresh-cookie.ts'
import type { AuthService, LoginOutcome } from './service.ts'

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
  const { register } = createPasswordEndpoints({ passwordMinLength })
  const routes = new Hono<OriginEnv>()

  serve(routes, register, async ({ body, respond }, c) => {
    const { email, password, display_name: displayName = null } = body
    await auth.register({ email, password, displayName }, c.get('context'))
    return respond({ status: 'accepted' })
  })

  serve(routes, signingIn.login, async ({ body, respond }, c) => {
    const { email, password, token_delivery: delivery } = body
    if (delivery === 'cookie') cookieOrigins.requireAllowed(c)
    const deviceToken = readDeviceCookie(c)
    const loggedIn = requireSucceeded(await auth.login({ email, password, deviceToken }, c.get('context')))
    if (cookieOrigins.mayRemember(c)) setDeviceCookie(c, loggedIn.deviceToken)
    return respond(deliverTokens(c, loggedIn.tokens, delivery, refreshCookie))
  })

  return routes
}

/**
 * @throws Problem `email_unverified` where the password is right; otherwise `invalid_credentials`,
 *   the same for an unknown, locked or disabled account and a wrong password
 */
function requireSucceeded(outcome: LoginOutcome) {
  switch (outcome.kind) {
    case 'succeeded':
      return outcome
    case 'email_unverified':
      throw new Problem('email_unverified', { cause: outcome.kind })
    case 'unknown_account':
    case 'account_locked':
    case 'wrong_password':
    case 'account_disabled':
      throw new Problem('invalid_credentials', { cause: outcome.kind })
  }
}
