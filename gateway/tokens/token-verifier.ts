import { z } from 'zod'
import { claimsSchema, clockLeewaySeconds } from '../../shared/auth/claims.ts'
import type { VerifySignature } from '../../shared/auth/jwk.ts'
import { TokenError, verifyAccessToken } from '../../shared/auth/verify-access-token.ts'
import { Problem } from '../../shared/http/errors.ts'
import { type Awaitable, chain } from '../../shared/lib/async.ts'
import { createBoundedMap } from '../../shared/lib/bounded-map.ts'
import { hash32 } from '../../shared/lib/hash32.ts'
import type { Now } from '../ports.ts'
import { createCompactIdentity } from './identity-layout.ts'
import { type KeySet, KeysUnavailableError } from './jwks-cache.ts'
import { createSignatureChecks } from './signature-checks.ts'
import type { VerifiedToken } from './verified-token.ts'

interface TokenVerifierOptions {
  keys: Pick<KeySet, 'find'>
  issuer: string
  audience: string
  /**
   * How long a signature once checked is believed: a key that was withdrawn stops counting after
   * this.
   */
  recheckSeconds: number
  now: Now
  /**
   * The digest under which a verified token is remembered, which takes less memory than the token.
   */
  digest?: ((token: string) => string) | undefined
  /** Called for each token: whether it was verified lately. */
  onLookup?: ((isKnown: boolean) => void) | undefined
}

/** The rejection of a token whose only fault is its age: its bearer must learn to refresh. */
export class TokenExpired extends Problem {
  constructor() {
    super('invalid_token', { cause: 'expired' })
  }
}

interface CachedToken extends VerifiedToken {
  /**
   * Tells the token from others of the same mark; the token itself where no digest is handed in.
   */
  digest: string
  /** Seconds since 1970. */
  trustUntil: number
  /** Seconds since 1970; not kept up for the busiest. */
  seenAt: number
}

/** Tokens remembered per generation, two of which are held. */
const cacheSize = 100_000

/**
 * Tokens that come twice in a second are kept whole, which saves their digest: so many per
 * generation.
 */
const hotCacheSize = 2_000

/**
 * Characters at the end of a token's signature that its mark is made of: 44 bits, as the last has
 * two.
 */
const hashedCharacters = 8

/**
 * Verifies access tokens. A token seen before is spared its signature check for a while, never the
 * check of its time.
 */
export function createTokenVerifier(options: TokenVerifierOptions) {
  const {
    keys,
    issuer,
    audience,
    recheckSeconds,
    now,
    digest = (token) => token,
    onLookup = () => {},
  } = options
  /** By mark. Of two tokens with one mark the last verified is kept: some 20 pairs of 200,000. */
  const verified = createBoundedMap<number, CachedToken>(cacheSize)
  const hotCache = createBoundedMap<number, { token: string; cached: CachedToken }>(hotCacheSize)
  const compactIdentity = createCompactIdentity()
  const signatureChecks = createSignatureChecks({ now })

  /**
   * Whole, as `verifyAccessToken` counts them; a fraction V8 would keep in an object of its own.
   */
  const nowSeconds = () => Math.floor(now() / 1000)

  const hashOfToken = (token: string) => hash32(token, token.length - hashedCharacters)

  function toCachedToken(token: string, payload: unknown): CachedToken {
    const { iss, aud, client_id, iat, exp, ...identity } = claimsSchema.parse(payload)
    const at = nowSeconds()
    return {
      digest: digest(token),
      identity: compactIdentity(identity),
      expiresAt: exp,
      trustUntil: Math.min(exp + clockLeewaySeconds, at + recheckSeconds),
      seenAt: at,
      assertion: undefined,
    }
  }

  function fail(error: unknown): never {
    if (error instanceof KeysUnavailableError) throw new Problem('keys_unavailable', { cause: error })
    // The fault alone: what zod says of a claim names it, and claims name a person.
    if (error instanceof TokenError)
      throw error.fault === 'expired'
        ? new TokenExpired()
        : new Problem('invalid_token', { cause: error.fault })
    if (error instanceof z.ZodError) throw new Problem('invalid_token', { cause: 'claims' })
    throw error
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

  /** A check that waits where the address has forged signatures, and counts one that is forged. */
  function limited(verify: VerifySignature, caller: string): VerifySignature {
    return (signed, signature) =>
      chain(signatureChecks.waitForTurn(caller), () =>
        chain(verify(signed, signature), (isGenuine) => {
          if (!isGenuine) signatureChecks.failed(caller)
          return isGenuine
        }),
      )
  }

  function verifyUncached(token: string, caller: string): Awaitable<CachedToken> {
    const findKey = (kid: string) => chain(keys.find(kid), (verify) => verify && limited(verify, caller))
    const payload = verifyAccessToken(token, { findKey, issuer, audience, now: now() })
    return chain(payload, (claims) => cache(token, claims))
  }

  return {
    /** Tokens remembered, those that hold no more among them. */
    get size() {
      return verified.size
    },

    /** A token seen lately that still holds; undefined for one that has to be verified. */
    lookup(token: string): VerifiedToken | undefined {
      const cached = find(token)
      onLookup(cached !== undefined)
      return cached
    },

    /**
     * @param caller the address that the token came from, or its /64
     * @throws TokenExpired; Problem `invalid_token`, `keys_unavailable`, `overloaded`, at once or
     * later
     */
    verify(token: string, caller: string): Awaitable<VerifiedToken> {
      try {
        const verified = verifyUncached(token, caller)
        return verified instanceof Promise ? verified.catch(fail) : verified
      } catch (error) {
        return fail(error)
      }
    },
  }
}

export type TokenVerifier = ReturnType<typeof createTokenVerifier>
