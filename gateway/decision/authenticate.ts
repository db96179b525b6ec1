import { bearerToken } from '../../shared/auth/bearer-token.ts'
import { addressKey } from '../../shared/http/address-key.ts'
import { Problem } from '../../shared/http/errors.ts'
import { type Awaitable, chain } from '../../shared/lib/async.ts'
import type { Limiter } from '../rate-limit/limiter.ts'
import { LegacyToken, TokenExpired, type TokenVerifier } from '../tokens/token-verifier.ts'
import type { VerifiedToken } from '../tokens/verified-token.ts'
import type { RequestLimits } from './request-limits.ts'

interface AuthenticateOptions {
  tokens: Pick<TokenVerifier, 'lookup' | 'verify'>
  limiter: Limiter
  limits: RequestLimits
}

/**
 * Authenticates callers by their access token. A valid token is never 429 because of other requests
 * from its address; one that must be verified is 503 `overloaded` where too many wait there.
 */
export function createAuthenticate({ tokens, limiter, limits }: AuthenticateOptions) {
  /**
   * A missing or invalid token counts against the address. An expired one and one of a former
   * system do not: a client must learn to refresh or to exchange it, also behind an address that
   * many share. Neither costs a signature check or a call.
   */
  function countFailure(error: unknown, address: string): Awaitable<never> {
    if (!(error instanceof Problem && error.status === 401)) throw error
    if (error instanceof TokenExpired || error instanceof LegacyToken) throw error
    return chain(limiter.count([limits.forInvalidTokens(address)]), () => {
      throw error
    })
  }

  /**
   * Throws or rejects with the rejection.
   *
   * @throws Problem `token_missing`, `invalid_token`, `legacy_token`, `keys_unavailable`,
   * `overloaded`; RateLimited for too many invalid tokens
   */
  return function authenticate(authorization: string | undefined, address: string): Awaitable<VerifiedToken> {
    try {
      const token = credential(authorization)
      const known = tokens.lookup(token)
      if (known) return known
      const verified = tokens.verify(token, addressKey(address))
      return verified instanceof Promise ? verified.catch((error) => countFailure(error, address)) : verified
    } catch (error) {
      return countFailure(error, address)
    }
  }
}

function credential(authorization: string | undefined): string {
  // Some libraries send the header without a value where they have no token.
  if (authorization === undefined || authorization === '') throw new Problem('token_missing')
  const token = bearerToken(authorization)
  if (!token) throw new Problem('invalid_token', { cause: 'not one Bearer credential' })
  return token
}
