import { type Context, Hono } from 'hono'
import { getCookie } from 'hono/cookie'
import { signingIn, type TokenResponse } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import { overLimitProblem } from '../../shared/http/over-limit.ts'
import { factorRequiredParts } from '../auth/factor-challenge.ts'
import type { CookieOrigins } from '../http/cookie-origins.ts'
import type { OriginEnv } from '../http/request-context.ts'
import { serve } from '../http/serve.ts'
import { deliverTokens } from '../sessions/deliver-tokens.ts'
import type { RefreshCookie } from '../sessions/refresh-cookie.ts'
import type { ExchangeOutcome, LegacyExchange } from './service.ts'

interface LegacyRoutesOptions {
  exchange: LegacyExchange
  /** Names of the cookies that former systems keep their tokens in. */
  cookies: readonly string[]
  refreshCookie: RefreshCookie
  cookieOrigins: Pick<CookieOrigins, 'requireAllowed'>
}

export function createLegacyRoutes({ exchange, cookies, refreshCookie, cookieOrigins }: LegacyRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  /**
   * The token of the body or, where its client cannot read it, of a former system's cookie.
   *
   * @throws Problem `legacy_token_missing`, `origin_not_allowed`
   */
  function presented(c: Context, inBody: string | undefined): string {
    if (inBody !== undefined) return inBody
    const inCookie = cookies.map((name) => getCookie(c, name)).find((value) => value !== undefined)
    if (inCookie === undefined) throw new Problem('legacy_token_missing')
    cookieOrigins.requireAllowed(c)
    return inCookie
  }

  serve(routes, signingIn.exchangeLegacyToken, async ({ body, respond }, c) => {
    const { legacy_token: inBody, token_delivery: delivery } = body
    const token = presented(c, inBody)
    // Before the token is spent: a page of another origin could not use the cookie.
    if (delivery === 'cookie') cookieOrigins.requireAllowed(c)
    const tokens = requireExchanged(await exchange(token, c.get('context')))
    return respond(deliverTokens(c, tokens, delivery, refreshCookie))
  })

  return routes
}

/**
 * @throws Problem `legacy_token_invalid`, the same for an unknown and a disabled account;
 *   `legacy_token_without_exp`, `legacy_token_spent`, `legacy_issuer_ended`, `mfa_required`,
 *   `email_unverified`, `rate_limited`
 */
function requireExchanged(outcome: ExchangeOutcome): TokenResponse {
  switch (outcome.kind) {
    case 'exchanged':
      return outcome.tokens
    case 'mfa_required':
      throw new Problem('mfa_required', factorRequiredParts(outcome))
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
