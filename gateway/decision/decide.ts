import { bearerToken } from '../../shared/auth/bearer-token.ts'
import type { Identity } from '../../shared/auth/claims.ts'
import { addressKey } from '../../shared/http/address-key.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { RawHeaders } from '../../shared/http/headers.ts'
import type { OverLimit } from '../../shared/http/over-limit.ts'
import { type Awaitable, chain } from '../../shared/lib/async.ts'
import { tooLarge } from '../http/request-body.ts'
import type { RequestHeaders } from '../http/request-headers.ts'
import type { RateLimitReporter } from '../origin-api/rate-limit-reporter.ts'
import type { Authorize } from '../policy/authorization.ts'
import type { Policy, Route } from '../policy/policy.ts'
import { readTarget } from '../policy/request-target.ts'
import { type Limiter, RateLimited } from '../rate-limit/limiter.ts'
import { type CountedOrOver, countOrForward, mayExceedLimits } from '../rate-limit/over-limit.ts'
import type { AssertionFor } from '../tokens/assertion-signer.ts'
import { TokenExpired, type TokenVerifier } from '../tokens/token-verifier.ts'
import type { VerifiedToken } from '../tokens/verified-token.ts'
import type { RequestLimits } from './request-limits.ts'
import { toProblem } from './to-problem.ts'

/** All that a decision looks at: a request's head, never its body. */
export interface RequestHead {
  method: string
  /** Path and query as the runtime has them: the edge's have resolved dot segments by then. */
  target: string
  headers: Pick<RequestHeaders, 'authorization' | 'cookie' | 'contentLength'>
  /** The client's address. */
  address: string
}

export interface Decision {
  route: Route
  target: string
  caller: VerifiedToken | null
  /** Signed statement of the caller, for the upstream. */
  assertion: string
  /** Headers that the limits add to the response, names and values in turn. */
  limitHeaders: Readonly<RawHeaders>
  /** For the origin, where the request is forwarded over its limits. */
  overLimit: OverLimit | undefined
  /** Takes the status of the response where the row has limits that count failures alone. */
  settle: ((status: number) => void) | undefined
}

interface DecideOptions {
  policy: Policy
  tokens: TokenVerifier
  /**
   * Holds a token against later revocations. Missing where the limiter does so in its own call of
   * the store.
   *
   * @throws Problem with the rejection
   */
  throwIfRevoked: ((identity: Identity) => void) | undefined
  limiter: Limiter
  recordRejection: RateLimitReporter['record']
  authorize: Authorize
  assertionFor: AssertionFor
  limits: RequestLimits
}

/**
 * A credential was wrong, or the client left before the response. Internal failures are not the
 * caller's.
 */
const isFailedTry = (status: number) => [400, 401, 403, 499].includes(status)

/** For a request that is rejected after it was counted. */
function settleRejected(settle: Decision['settle'], error: unknown): never {
  settle?.(toProblem(error).status)
  throw error
}

/**
 * Decides about a request: path, row, caller, size, limits, rights. Limits come before rights, so
 * that attempts without a right are counted too. The decision is synchronous where all of it is in
 * memory.
 */
export function createDecide(options: DecideOptions) {
  const { policy, tokens, throwIfRevoked, limiter, limits, recordRejection, authorize, assertionFor } =
    options

  function credential({ authorization }: RequestHead['headers']): string {
    // Some libraries send the header without a value where they have no token.
    if (authorization === undefined || authorization === '') throw new Problem('token_missing')
    const token = bearerToken(authorization)
    if (!token) throw new Problem('invalid_token', { cause: 'not one Bearer credential' })
    return token
  }

  /**
   * Authenticates the caller. Requests of others at the address never refuse a genuine token, seen
   * before or not.
   */
  function authenticate(head: RequestHead): Awaitable<VerifiedToken> {
    try {
      const token = credential(head.headers)
      const known = tokens.known(token)
      if (known) return known
      const verified = tokens.verify(token, addressKey(head.address))
      return verified instanceof Promise ? verified.catch((error) => countFailure(head, error)) : verified
    } catch (error) {
      return countFailure(head, error)
    }
  }

  /**
   * A token that is missing or false counts against the address, one that is merely over does not.
   */
  function countFailure(head: RequestHead, error: unknown): Awaitable<never> {
    if (!(error instanceof Problem && error.status === 401) || error instanceof TokenExpired) throw error
    return chain(limiter.count([limits.ofFalseTokens(head.address)]), () => {
      throw error
    })
  }

  function rejectOversized({ contentLength = 0 }: RequestHead['headers'], route: Route): void {
    if (!(contentLength <= route.body_bytes)) throw tooLarge(route.body_bytes)
  }

  function count(head: RequestHead, route: Route, caller: VerifiedToken | null): Awaitable<CountedOrOver> {
    const applying = limits.of(head.address, route, caller)
    return mayExceedLimits(route, head.headers.cookie)
      ? countOrForward(() => limiter.count(applying, caller?.identity))
      : limiter.count(applying, caller?.identity)
  }

  function settling({ settle, over }: CountedOrOver, head: RequestHead, route: Route): Decision['settle'] {
    if (settle) return (status) => settle(isFailedTry(status))
    if (over)
      return function settleRejected(status) {
        if (status === 429) record(over.rejection, head, route)
      }
    return undefined
  }

  function record({ over }: RateLimited, { method }: RequestHead, { path }: Route): void {
    recordRejection({ limits: over, method, route: path })
  }

  function decideRoute(head: RequestHead, route: Route, target: string): Awaitable<Decision> {
    return chain(route.who === 'user' ? authenticate(head) : null, (caller) => {
      // Before the limits: the client of a revoked token has not heard of that yet, so the address
      // made no failed attempt; and a stolen token must not use up its owner's quota.
      if (caller) throwIfRevoked?.(caller.identity)
      rejectOversized(head.headers, route)
      return chain(count(head, route, caller), (counted) => {
        const settle = settling(counted, head, route)
        try {
          if (caller) authorize(route, caller.identity)
          const decided = chain(assertionFor(caller, route.upstream), (assertion) => ({
            route,
            target,
            caller,
            assertion,
            limitHeaders: counted.limitHeaders,
            overLimit: counted.over?.mark,
            settle,
          }))
          return decided instanceof Promise
            ? decided.catch((error) => settleRejected(settle, error))
            : decided
        } catch (error) {
          return settleRejected(settle, error)
        }
      })
    })
  }

  /** @throws Problem with the rejection, at once or later */
  return function decide(head: RequestHead): Awaitable<Decision> {
    const { path, query } = readTarget(head.target)
    const route = policy.match(head.method, path)
    const reject = (error: unknown): never => {
      if (error instanceof Problem) error.route = route
      if (error instanceof RateLimited && error.code === 'rate_limited') record(error, head, route)
      throw error
    }
    try {
      const decided = decideRoute(head, route, path + query)
      return decided instanceof Promise ? decided.catch(reject) : decided
    } catch (error) {
      return reject(error)
    }
  }
}

export type Decide = ReturnType<typeof createDecide>
