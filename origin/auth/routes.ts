import { type Context, Hono } from 'hono'
import { createPasswordEndpoints, signingIn } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { CookieOrigins } from '../http/cookie-origins.ts'
import type { OriginEnv } from '../http/request-context.ts'
import { serve } from '../http/serve.ts'
import { readDeviceCookie, setDeviceCookie } from '../lockout/device-cookie.ts'
import { deliverTokens } from '../sessions/deliver-tokens.ts'
import type { RefreshCookie } from '../sessions/refresh-cookie.ts'
import { factorRequiredParts } from './factor-challenge.ts'
import type { FactorLoginOutcome, FactorLoginService } from './factor-login.ts'
import type { AuthService, LoggedIn, LoginOutcome } from './service.ts'

interface AuthRoutesOptions {
  auth: AuthService
  refreshCookie: RefreshCookie
  cookieOrigins: CookieOrigins
  factorLogin: FactorLoginService
  passwordMinLength: number
}

export function createAuthRoutes({
  auth,
  refreshCookie,
  cookieOrigins,
  factorLogin,
  passwordMinLength,
}: AuthRoutesOptions) {
  const { register } = createPasswordEndpoints({ passwordMinLength })
  const routes = new Hono<OriginEnv>()

  function deliver(c: Context, { tokens, deviceToken }: LoggedIn, delivery: 'body' | 'cookie') {
    if (cookieOrigins.mayRemember(c)) setDeviceCookie(c, deviceToken)
    return deliverTokens(c, tokens, delivery, refreshCookie)
  }

  serve(routes, register, async ({ body, respond }, c) => {
    const { email, password, display_name: displayName = null } = body
    await auth.register({ email, password, displayName }, c.get('context'))
    return respond({ status: 'accepted' })
  })

  serve(routes, signingIn.login, async ({ body, respond }, c) => {
    const { email, password, token_delivery: delivery } = body
    if (delivery === 'cookie') cookieOrigins.requireAllowed(c)
    const deviceToken = readDeviceCookie(c)
    const outcome = await auth.login({ email, password, deviceToken }, c.get('context'))
    return respond(deliver(c, requireSucceeded(outcome), delivery))
  })

  serve(routes, signingIn.loginWithFactor, async ({ body, respond }, c) => {
    const { mfa_token: mfaToken, remember_device: rememberDevice, token_delivery: delivery } = body
    if (delivery === 'cookie') cookieOrigins.requireAllowed(c)
    const { factor, code } = body
    const login = { mfaToken, rememberDevice, deviceToken: readDeviceCookie(c), factor, code }
    const outcome = await factorLogin.login(login, c.get('context'))
    return respond(deliver(c, requireFinished(outcome), delivery))
  })

  return routes
}

/**
 * @throws Problem `mfa_required`, `email_unverified` where the password is right; otherwise
 *   `invalid_credentials`, the same for an unknown, locked or disabled account and a wrong password
 */
function requireSucceeded(outcome: LoginOutcome) {
  switch (outcome.kind) {
    case 'succeeded':
      return outcome
    case 'mfa_required':
      throw new Problem('mfa_required', factorRequiredParts(outcome))
    case 'email_unverified':
      throw new Problem('email_unverified', { cause: outcome.kind })
    case 'unknown_account':
    case 'account_locked':
    case 'wrong_password':
    case 'account_disabled':
      throw new Problem('invalid_credentials', { cause: outcome.kind })
  }
}

/** @throws Problem `code_wrong`, `mfa_token_invalid` */
function requireFinished(outcome: FactorLoginOutcome): LoggedIn {
  switch (outcome.kind) {
    case 'succeeded':
      return outcome
    case 'wrong_code':
      throw new Problem('code_wrong')
    case 'mfa_token_invalid':
      throw new Problem('mfa_token_invalid')
  }
}
