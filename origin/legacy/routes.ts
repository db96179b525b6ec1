import { Hono } from 'hono'
import { signingIn, type TokenResponse } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import { overLimitProblem } from '../../shared/http/over-limit.ts'
import type { CookieOrigins } from '../http/cookie-origins.ts'
import type { OriginEnv } from '../http/request-context.ts'
import { serve } from '../http/serve.ts'
import { deliverTokens } from '../sessions/deliver-tokens.ts'
import type { RefreshCookie } from '../sessions/refresh-cookie.ts'
import type { ExchangeOutcome, LegacyExchange } from './service.ts'

interface LegacyRoutesOptions {
  exchange: LegacyExchange
  refreshCookie: RefreshCookie
  cookieOrigins: Pick<CookieOrigins, 'requireAllowed'>
}

export function createLegacyRoutes({ exchange, refreshCookie, cookieOrigins }: LegacyRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  serve(routes, signingIn.exchangeLegacyToken, async ({ body, respond }, c) => {
    const { legacy_token: token, token_delivery: delivery } = body
    // Before the token is spent: a page of another origin could not use the cookie.
    if (delivery === 'cookie') cookieOrigins.requireAllowed(c)
    const tokens = requireExchanged(await exchange(token, c.get('context')))
    return respond(deliverTokens(c, tokens, delivery, refreshCookie))
  })

  return routes
}

/**
 * @throws Problem `legacy_token_invalid`, the same for an unknown and a disabled account;
 *   `legacy_token_without_exp`, `legacy_token_spent`, `legacy_issuer_ended`, `email_unverified`,
 *   `rate_limited`
 */
function requireExchanged(outcome: ExchangeOutcome): TokenResponse {
  switch (outcome.kind) {
    case 'exchanged':
      return outcome.tokens
    case 'invalid':
      throw new Problem('legacy_token_invalid', { cause: outcome.fault })
    case 'account_unknown':
    case 'account_disabled':
      throw new Problem('legacy_token_invalid', { cause: outcome.kind })
    case 'without_exp':
      throw new Problem('legacy_token_without_exp')
    case 'spent':
      throw new Problem('legacy_token_spent')
    case 'issuer_ended':
      throw new Problem('legacy_issuer_ended')
    case 'email_unverified':
      throw new Problem('email_unverified')
    case 'over_limit':
      throw overLimitProblem(outcome.limit, 'legacy_token_invalid')
  }
}
