import { errors as jose } from 'jose'
import { z } from 'zod'
import { createBoundedMap } from '../shared/bounded-map.ts'
import { claimsSchema, clockLeewaySeconds, type Identity, identitySchema } from '../shared/claims.ts'
import { Problem } from '../shared/errors.ts'
import { verifyAccessToken } from '../shared/verify-access-token.ts'
import { type KeySet, KeysUnavailableError } from './key-set.ts'
import type { Now } from './ports.ts'

interface TokenVerifierOptions {
  keys: Pick<KeySet, 'find'>
  issuer: string
  audience: string
  /** How long a signature once checked is believed: a key that was withdrawn stops counting after this. */
  recheckSeconds: number
  now: Now
}

export interface VerifiedToken {
  identity: Identity
  /** Seconds since 1970. */
  expiresAt: number
}

interface Remembered extends VerifiedToken {
  /** Seconds since 1970. */
  believedUntil: number
}

/** Tokens remembered per generation, two of which are held: at about 1 kB each some 100 MB at the most. */
const remembered = 50_000

/** Verifies access tokens. A token seen before is spared its signature check for a while, never the check of its time. */
export function createTokenVerifier({ keys, issuer, audience, recheckSeconds, now }: TokenVerifierOptions) {
  const verified = createBoundedMap<string, Remembered>(remembered)

  async function verifyAnew(token: string): Promise<Remembered> {
    try {
      const payload = await verifyAccessToken(token, { findKey: keys.find, issuer, audience, now: now() })
      const claims = claimsSchema.parse(payload)
      const believedUntil = Math.min(claims.exp + clockLeewaySeconds, now() / 1000 + recheckSeconds)
      return { identity: identitySchema.parse(claims), expiresAt: claims.exp, believedUntil }
    } catch (error) {
      if (error instanceof KeysUnavailableError) throw new Problem('keys_unavailable', { cause: error })
      // The message alone: jose's error carries the claims, which name a person and are not for the log.
      if (error instanceof jose.JOSEError || error instanceof z.ZodError)
        throw new Problem('invalid_token', { cause: error.message })
      throw error
    }
  }

  return {
    /** A token seen lately that still holds; undefined for one that has to be verified. */
    known(token: string): VerifiedToken | undefined {
      const seen = verified.get(token)
      return seen && seen.believedUntil > now() / 1000 ? seen : undefined
    },

    /** @throws Problem `invalid_token`, `keys_unavailable` */
    async verify(token: string): Promise<VerifiedToken> {
      const fresh = await verifyAnew(token)
      verified.set(token, fresh)
      return fresh
    },
  }
}

export type TokenVerifier = ReturnType<typeof createTokenVerifier>
