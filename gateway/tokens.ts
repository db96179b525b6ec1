import { z } from 'zod'
import type { Eventually } from '../shared/async.ts'
import { createBoundedMap } from '../shared/bounded-map.ts'
import { claimsSchema, clockLeewaySeconds, type Identity } from '../shared/claims.ts'
import { Problem } from '../shared/errors.ts'
import { markOf } from '../shared/mark-of.ts'
import { TokenError, verifyAccessToken } from '../shared/verify-access-token.ts'
import type { SealedAssertion } from './assertions.ts'
import { createCompactIdentity } from './compact-identity.ts'
import { type KeySet, KeysUnavailableError } from './key-set.ts'
import type { Now } from './ports.ts'

interface TokenVerifierOptions {
  keys: Pick<KeySet, 'find'>
  issuer: string
  audience: string
  /** How long a signature once checked is believed: a key that was withdrawn stops counting after this. */
  recheckSeconds: number
  now: Now
  /** What a token is known by once it is found: a digest that no two tokens share takes less memory than the token. */
  digest?: ((token: string) => string) | undefined
  /** Told of each token that came, whether it is one seen lately. */
  onLookup?: ((isKnown: boolean) => void) | undefined
}

export interface VerifiedToken {
  identity: Identity
  /** Seconds since 1970. */
  expiresAt: number
  /** What upstreams were told of it: kept here to be forgotten together. */
  assertion: SealedAssertion | undefined
}

interface Remembered extends VerifiedToken {
  /** Tells the token from others of the same mark; the token itself where no digest is handed in. */
  digest: string
  /** Seconds since 1970. */
  believedUntil: number
  /** Seconds since 1970; not kept up for the busiest. */
  seenAt: number
}

/** Tokens remembered per generation, two of which are held. */
const remembered = 100_000

/** Those that come again in the second they were last seen in are kept whole, which spares their digest and costs their length: so many per generation. */
const busiest = 2_000

/** Characters at the end of a token's signature that its mark is made of: 44 bits, as the last has two. */
const markedCharacters = 8

/** Verifies access tokens. A token seen before is spared its signature check for a while, never the check of its time. */
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
  /** By their marks. Where two share one, the last verified stands, and the other is verified again: some 20 pairs of 200,000. */
  const verified = createBoundedMap<number, Remembered>(remembered)
  const busy = createBoundedMap<number, { token: string; seen: Remembered }>(busiest)
  const compactIdentity = createCompactIdentity()

  /** Whole, as `verifyAccessToken` counts them; a fraction V8 would keep in an object of its own. */
  const nowSeconds = () => Math.floor(now() / 1000)

  const markOfToken = (token: string) => markOf(token, token.length - markedCharacters)

  function toRemembered(token: string, payload: unknown): Remembered {
    const { iss, aud, client_id, iat, exp, ...identity } = claimsSchema.parse(payload)
    const at = nowSeconds()
    return {
      digest: digest(token),
      identity: compactIdentity(identity),
      expiresAt: exp,
      believedUntil: Math.min(exp + clockLeewaySeconds, at + recheckSeconds),
      seenAt: at,
      assertion: undefined,
    }
  }

  function fail(error: unknown): never {
    if (error instanceof KeysUnavailableError) throw new Problem('keys_unavailable', { cause: error })
    // The message alone: what zod says of a claim names it, and claims name a person.
    if (error instanceof TokenError) throw new Problem('invalid_token', { cause: error.message })
    if (error instanceof z.ZodError) throw new Problem('invalid_token', { cause: 'claims' })
    throw error
  }

  function remember(token: string, payload: unknown): Remembered {
    const fresh = toRemembered(token, payload)
    verified.set(markOfToken(token), fresh)
    return fresh
  }

  function find(token: string): Remembered | undefined {
    const at = nowSeconds()
    const mark = markOfToken(token)
    const atHand = busy.get(mark)
    if (atHand?.token === token && atHand.seen.believedUntil > at) return atHand.seen
    const seen = verified.get(mark)
    if (!seen || seen.believedUntil <= at || seen.digest !== digest(token)) return undefined
    if (at === seen.seenAt) busy.set(mark, { token, seen })
    seen.seenAt = at
    return seen
  }

  return {
    /** Tokens remembered, those that hold no more among them. */
    get size() {
      return verified.size
    },

    /** A token seen lately that still holds; undefined for one that has to be verified. */
    known(token: string): VerifiedToken | undefined {
      const known = find(token)
      onLookup(known !== undefined)
      return known
    },

    /** @throws Problem `invalid_token`, `keys_unavailable`, at once or later */
    verify(token: string): Eventually<VerifiedToken> {
      try {
        const payload = verifyAccessToken(token, { findKey: keys.find, issuer, audience, now: now() })
        return payload instanceof Promise
          ? payload.then((payload) => remember(token, payload)).catch(fail)
          : remember(token, payload)
      } catch (error) {
        return fail(error)
      }
    },
  }
}

export type TokenVerifier = ReturnType<typeof createTokenVerifier>
