import type { JWTPayload } from 'jose'
import { type Claims, claimsSchema, serviceAudience } from '../../../shared/auth/claims.ts'
import type { PublicJwk } from '../../../shared/auth/jwk.ts'
import { TokenError, verifyAccessToken } from '../../../shared/auth/verify-access-token.ts'
import type { Now } from '../../../shared/lib/time.ts'
import { readServiceClaims, type ServiceClaims } from './service-token.ts'
import { createKeyFinder } from './token-keys.ts'

/**
 * The kind of a presented token, live by signature and time. The database tells whether it was
 * revoked.
 */
export type ReadToken =
  | { kind: 'user'; claims: Claims }
  | { kind: 'service'; claims: ServiceClaims }
  /** A refresh token, or no token at all. */
  | { kind: 'opaque' }

interface TokenReaderOptions {
  publicKeys: () => readonly PublicJwk[]
  issuer: string
  userAudience: string
  now: Now
}

export function createTokenReader({ publicKeys, issuer, userAudience, now }: TokenReaderOptions) {
  const findKey = createKeyFinder(publicKeys)

  async function verify(token: string): Promise<JWTPayload | undefined> {
    const audience = [userAudience, serviceAudience]
    try {
      return await verifyAccessToken(token, { findKey, issuer, audience, now: now() })
    } catch (error) {
      if (error instanceof TokenError) return undefined
      throw error
    }
  }

  return async function readToken(token: string): Promise<ReadToken> {
    const payload = await verify(token)
    if (payload?.aud === userAudience) {
      const { data } = claimsSchema.safeParse(payload)
      if (data) return { kind: 'user', claims: data }
    }
    if (payload?.aud === serviceAudience) {
      const claims = readServiceClaims(payload)
      if (claims) return { kind: 'service', claims }
    }
    return { kind: 'opaque' }
  }
}
