import { apiKeyLength, apiKeyPrefix, holdsApiKey } from '../../shared/auth/api-key.ts'
import { bearerToken } from '../../shared/auth/bearer-token.ts'
import { addressKey } from '../../shared/http/address-key.ts'
import { Problem } from '../../shared/http/errors.ts'
import { type Awaitable, chain } from '../../shared/lib/async.ts'
import type { RequestHeaders } from '../http/request-headers.ts'
import type { KeyUseReporter } from '../origin-api/key-use-reporter.ts'
import type { Limiter } from '../rate-limit/limiter.ts'
import type { ApiKey, ApiKeys } from '../tokens/api-keys.ts'
import { LegacyToken, TokenExpired, type TokenVerifier } from '../tokens/token-verifier.ts'
import type { UrlTokenVerifier } from '../tokens/url-token-verifier.ts'
import type { VerifiedToken } from '../tokens/verified-token.ts'
import type { DecisionContext } from './decision-context.ts'
import type { RequestLimits } from './request-limits.ts'
import { createAuthenticateUrl, type UrlCredential } from './signed-url.ts'

interface AuthenticateOptions {
  tokens: Pick<TokenVerifier, 'lookup' | 'verify'>
  apiKeys: ApiKeys
  urlTokens: UrlTokenVerifier
  recordNetworkRefusal: KeyUseReporter['recordNetworkRefusal']
  limiter: Limiter
  limits: RequestLimits
}

/**
 * Authenticates callers by their access token or their API key. A valid credential is never 429
 * because of other requests from its address; one that must be verified is 503 `overloaded` where
 * too many wait there.
 */
export function createAuthenticate(options: AuthenticateOptions) {
  const { tokens, apiKeys, recordNetworkRefusal, limiter, limits } = options
  const authenticateUrl = createAuthenticateUrl(options.urlTokens)

  function count(failure: Problem, address: string): Awaitable<never> {
    return chain(limiter.count([limits.forInvalidTokens(address)]), () => {
      throw failure
    })
  }

  /**
   * A missing or invalid credential counts against the address. An expired token and one of a
   * former system do not: a client must learn to refresh or to exchange it, also behind an address
   * that many share. Neither costs a signature check or a call.
   */
  function countFailure(error: unknown, address: string): Awaitable<never> {
    if (!(error instanceof Problem && error.status === 401)) throw error
    if (error instanceof TokenExpired || error instanceof LegacyToken) throw error
    return count(error, address)
  }

  function authenticateByUrl(
    credential: UrlCredential,
    { request, address }: DecisionContext,
  ): Awaitable<VerifiedToken> {
    const { method, headers } = request
    const hasOtherCredential = hasCredential(headers)
    const caller = authenticateUrl(credential, { method, address, hasOtherCredential })
    return caller instanceof Promise ? caller.catch((error) => countFailure(error, address)) : caller
  }

  function exchangeKey(key: string, decision: DecisionContext): Awaitable<VerifiedToken> {
    return chain(apiKeys.find(key, addressKey(decision.address)), (apiKey) => {
      decision.apiKey = apiKey
      return apiKey.caller
    })
  }

  async function renewKey(stale: ApiKey, decision: DecisionContext): Promise<void> {
    decision.isKeyRenewed = true
    decision.apiKey = await apiKeys.renew(stale)
    decision.caller = decision.apiKey.caller
  }

  async function rejectRevokedKey(apiKey: ApiKey, { address }: DecisionContext): Promise<void> {
    try {
      apiKeys.rejectRevoked(apiKey)
    } catch (error) {
      await countFailure(error, address)
    }
  }

  return {
    /**
     * Throws or rejects with the rejection.
     *
     * @throws Problem `token_missing`, `invalid_token`, `legacy_token`, `keys_unavailable`,
     * `overloaded`; `feature_required` for an API key alone; RateLimited for too many invalid
     * credentials
     */
    authenticate(decision: DecisionContext): Awaitable<VerifiedToken> {
      const { address, request, urlCredential } = decision
      try {
        if (urlCredential) return authenticateByUrl(urlCredential, decision)
        const presented = credential(request.headers)
        const isKey = presented.startsWith(apiKeyPrefix)
        const known = isKey ? undefined : tokens.lookup(presented)
        if (known) return known
        const caller = isKey
          ? exchangeKey(presented, decision)
          : tokens.verify(presented, addressKey(address))
        return caller instanceof Promise ? caller.catch((error) => countFailure(error, address)) : caller
      } catch (error) {
        return countFailure(error, address)
      }
    },

    /**
     * An API key that is used from a wrong network may be stolen, so it counts as an invalid one.
     *
     * @throws Problem `network_not_allowed`
     */
    requireNetwork({ apiKey, address }: DecisionContext): Awaitable<void> {
      if (!apiKey || apiKey.allows(address)) return
      recordNetworkRefusal(apiKey)
      return count(new Problem('network_not_allowed'), address)
    },

    /**
     * Programs cannot refresh a token: where the token of a key is stale, the key is exchanged
     * again, once a request. A revoked key is an unknown one from then on.
     *
     * @returns undefined where the error does not concern an API key
     */
    recover(error: unknown, decision: DecisionContext): Promise<void> | undefined {
      const { apiKey } = decision
      if (!apiKey || !(error instanceof Problem)) return undefined
      if (error.code === 'claims_stale' && !decision.isKeyRenewed) return renewKey(apiKey, decision)
      return error.code === 'session_ended' ? rejectRevokedKey(apiKey, decision) : undefined
    },
  }
}

/** Longer headers hold access tokens: the hot path does not search them. */
const maxKeyHeader = 2 * apiKeyLength

/** Whether a request presents an API key, valid or not. */
export const presentsApiKey = ({ authorization, apiKey }: RequestHeaders): boolean =>
  (authorization !== undefined && authorization.length < maxKeyHeader && holdsApiKey(authorization)) ||
  (apiKey !== undefined && holdsApiKey(apiKey))

/** Whether a request presents a token or a key, valid or not. */
export const hasCredential = ({ authorization, apiKey }: RequestHeaders): boolean =>
  Boolean(authorization) || (apiKey !== undefined && holdsApiKey(apiKey))

/** @throws Problem `token_missing`, `invalid_token` */
function credential({ authorization, apiKey }: RequestHeaders): string {
  const isOurs = apiKey !== undefined && holdsApiKey(apiKey)
  // Some libraries send the header without a value where they have no token.
  if (authorization === undefined || authorization === '') {
    if (!isOurs) throw new Problem('token_missing')
    if (!apiKey.startsWith(apiKeyPrefix)) throw new Problem('invalid_token', { cause: 'not one API key' })
    return apiKey
  }
  if (isOurs) throw new Problem('invalid_token', { cause: 'two credentials' })
  const token = bearerToken(authorization)
  if (!token) throw new Problem('invalid_token', { cause: 'not one Bearer credential' })
  return token
}
