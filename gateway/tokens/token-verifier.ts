import * as z from 'zod'
import { claimsSchema, clockLeewaySeconds } from '../../shared/auth/claims.ts'
import { TokenError, verifyAccessToken } from '../../shared/auth/verify-access-token.ts'
import { Problem } from '../../shared/http/errors.ts'
import { type Awaitable, chain } from '../../shared/lib/async.ts'
import { createBoundedMap } from '../../shared/lib/bounded-map.ts'
import { hash30 } from '../../shared/lib/hash30.ts'
import type { EpochSeconds } from '../../shared/lib/time.ts'
import type { Now } from '../ports.ts'
import { createForgeryThrottle } from './forgery-throttle.ts'
import { createIdentityInterner } from './identity-interner.ts'
import { type KeySet, KeysUnavailableError } from './jwks-cache.ts'
import type { VerifiedToken } from './verified-token.ts'

interface TokenVerifierOptions {
  keys: Pick<KeySet, 'find'>
  issuer: string
  audience: string
  /**
   * Longest time without a new signature check. Tokens of a withdrawn key are valid for at most
   * this long.
   */
  recheckSeconds: number
  now: Now
  /**
   * Digest that the cache stores in place of the token, to save memory.
   */
  digest?: ((token: string) => string) | undefined
  /** Whether an invalid token is one of a former system, which can be exchanged. */
  isLegacy?: ((token: string) => boolean) | undefined
  /** Called for each token, with whether it was in the cache. */
  onLookup?: ((isKnown: boolean) => void) | undefined
}

/** Rejection of a token that is only expired: the client must learn to refresh. */
export class TokenExpired extends Problem {
  constructor() {
    super('invalid_token', { cause: 'expired' })
  }
}

/** Rejection of a token of a former system: the client must learn to exchange it. */
export class LegacyToken extends Problem {
  constructor() {
    super('legacy_token')
  }
}

interface CachedToken extends VerifiedToken {
  /**
   * Distinguishes tokens of the same hash; the token itself without a `digest` option.
   */
  digest: string
  trustUntil: EpochSeconds
  /** Not updated by hits in the hot cache. */
  seenAt: EpochSeconds
}

/** Cached tokens; the map holds up to twice this (see bounded-map.ts). */
const cacheSize = 100_000

/**
 * Tokens of the hot cache, which keeps tokens used twice in a second whole and so saves their
 * digest; the map holds up to twice this (see bounded-map.ts).
 */
const hotCacheSize = 2_000

/**
 * Characters hashed, from the end of the signature: 44 bits, as the last one holds two.
 */
const hashedCharacters = 8

/** @throws Problem of an error that a token's verification has thrown */
export function throwTokenProblem(error: unknown): never {
  if (error instanceof KeysUnavailableError) throw new Problem('keys_unavailable', { cause: error })
  // Only the fault: zod's messages quote claims, which are personal data.
  if (error instanceof TokenError)
    throw error.fault === 'expired'
      ? new TokenExpired()
      : new Problem('invalid_token', { cause: error.fault })
  if (error instanceof z.ZodError) throw new Problem('invalid_token', { cause: 'claims' })
  throw error
}

/**
 * Verifies access tokens. A cached token skips the signature check for `recheckSeconds`, never the
 * check of its expiry.
 */
export function createTokenVerifier(options: TokenVerifierOptions) {
  const {
    keys,
    issuer,
    audience,
    recheckSeconds,
    now,
    digest = (token) => token,
    isLegacy = () => false,
    onLookup = () => {},
  } = options
  /** By hash. Of two tokens with one hash the last verified is kept: about 20 pairs in 200,000. */
  const verified = createBoundedMap<number, CachedToken>(cacheSize)
  const hotCache = createBoundedMap<number, { token: string; cached: CachedToken }>(hotCacheSize)
  const compactIdentity = createIdentityInterner()
  const forgeryThrottle = createForgeryThrottle({ now })

  /**
   * Whole seconds, as in `verifyAccessToken`; V8 would box a fraction.
   */
  const nowSeconds = () => Math.floor(now() / 1000)

  const hashOfToken = (token: string) => hash30(token, token.length - hashedCharacters)

  function toCachedToken(token: string, payload: unknown): CachedToken {
    const { iss, aud, client_id, iat, exp, ...claims } = claimsSchema.parse(payload)
    const at = nowSeconds()
    const { identity, internedClaims } = compactIdentity(claims)
    return {
      digest: digest(token),
      identity,
      internedClaims,
      expiresAt: exp,
      trustUntil: Math.min(exp + clockLeewaySeconds, at + recheckSeconds),
      seenAt: at,
      assertion: undefined,
      usage: undefined,
    }
  }

  function cache(token: string, payload: unknown): CachedToken {
    const fresh = toCachedToken(token, payload)
    verified.set(hashOfToken(token), fresh)
    return fresh
  }

  function find(token: string): CachedToken | undefined {
    const at = nowSeconds()
    const hash = hashOfToken(token)
    const hot = hotCache.get(hash)
    if (hot?.token === token && hot.cached.trustUntil > at) return hot.cached
    const cached = verified.get(hash)
    if (!cached || cached.trustUntil <= at || cached.digest !== digest(token)) return undefined
    if (at === cached.seenAt) hotCache.set(hash, { token, cached })
    cached.seenAt = at
    return cached
  }

  function verifyUncached(token: string, addressKey: string): Awaitable<CachedToken> {
    const findKey = (kid: string) =>
      chain(keys.find(kid), (verify) => verify && forgeryThrottle.guard(verify, addressKey))
    const payload = verifyAccessToken(token, { findKey, issuer, audience, now: now() })
    return chain(payload, (claims) => cache(token, claims))
  }

  return {
    /** Cached tokens, expired ones included. */
    get size() {
      return verified.size
    },

    /** A valid token from the cache; undefined for one that must be verified. */
    lookup(token: string): VerifiedToken | undefined {
      const cached = find(token)
      onLookup(cached !== undefined)
      return cached
    },

    /**
     * Throws or rejects with TokenExpired, LegacyToken, or Problem `invalid_token`,
     * `keys_unavailable`, `overloaded`.
     *
     * @param addressKey the address that the token came from, or its /64
     */
    verify(token: string, addressKey: string): Awaitable<VerifiedToken> {
      try {
        const verified = verifyUncached(token, addressKey)
        return verified instanceof Promise ? verified.catch(throwTokenProblem) : verified
      } catch (error) {
        // A foreign issuer is rejected before anything has to be awaited.
        if (error instanceof TokenError && isLegacy(token)) throw new LegacyToken()
        return throwTokenProblem(error)
      }
    },
  }
}

export type TokenVerifier = ReturnType<typeof createTokenVerifier>
