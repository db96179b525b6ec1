import { createBoundedMap } from '../shared/bounded-map.ts'
import { claimsSchema, type Identity, identitySchema } from '../shared/claims.ts'
import { Problem } from '../shared/errors.ts'
import { tokenLeewaySeconds, verifyAccessToken } from '../shared/verify-access-token.ts'
import { type KeySet, KeysUnavailableError } from './key-set.ts'
import type { Now } from './ports.ts'

interface TokenVerifierOptions {
  keys: Pick<KeySet, 'find'>
  issuer: string
  audience: string
  now: Now
  /** Verified tokens remembered per generation, two of which are held. */
  cacheSize?: number
}

export interface VerifiedToken {
  identity: Identity
  /** Seconds since 1970. */
  expiresAt: number
}

/** Verifies access tokens. A token seen before is spared its signature check, never the check of its time. */
export function createTokenVerifier({
  keys,
  issuer,
  audience,
  now,
  cacheSize = 50_000,
}: TokenVerifierOptions) {
  const verified = createBoundedMap<string, VerifiedToken>(cacheSize)

  async function verifyAnew(token: string): Promise<VerifiedToken> {
    try {
      const payload = await verifyAccessToken(token, { findKey: keys.find, issuer, audience, now: now() })
      const claims = claimsSchema.parse(payload)
      return { identity: identitySchema.parse(claims), expiresAt: claims.exp }
    } catch (error) {
      if (error instanceof KeysUnavailableError) throw new Problem('keys_unavailable', { cause: error })
      // The message alone: jose's error carries the claims, which name a person and are not for the log.
      throw new Problem('invalid_token', { cause: error instanceof Error ? error.message : error })
    }
  }

  /** @throws Problem `invalid_token`, `keys_unavailable` */
  return async function verifyToken(token: string): Promise<VerifiedToken> {
    const known = verified.get(token)
    if (!known) {
      const fresh = await verifyAnew(token)
      verified.set(token, fresh)
      return fresh
    }
    if (known.expiresAt + tokenLeewaySeconds <= now() / 1000) {
      verified.delete(token)
      throw new Problem('invalid_token', { cause: 'expired' })
    }
    return known
  }
}

export type VerifyToken = ReturnType<typeof createTokenVerifier>
