import { decodeProtectedHeader, errors as jose, jwtVerify } from 'jose'
import { createBoundedMap } from '../shared/bounded-map.ts'
import { accessTokenType, algorithm, claimsSchema, type Identity, identitySchema } from '../shared/claims.ts'
import { Problem } from '../shared/errors.ts'
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

/** Clocks of two machines may differ by this much; well below the 60 s that are the most one should allow. */
const leewaySeconds = 5

/** Ours are around 1 kB; what is longer is not looked at. */
const longestToken = 8192

/** Three parts in base64url: a JWS in compact form and nothing else. */
const compactJws = /^[\w-]+\.[\w-]+\.[\w-]+$/

const headerNames = new Set(['alg', 'kid', 'typ'])

/** Verifies access tokens. A token seen before is spared its signature check, never the check of its time. */
export function createTokenVerifier({
  keys,
  issuer,
  audience,
  now,
  cacheSize = 50_000,
}: TokenVerifierOptions) {
  const verified = createBoundedMap<string, VerifiedToken>(cacheSize)

  async function findKey(token: string): Promise<CryptoKey> {
    const header = decodeProtectedHeader(token)
    // Headers that name or carry a key (jwk, jku, x5u) or an extension (crit) are never followed: RFC 8725, section 3.10.
    const foreign = Object.keys(header).find((name) => !headerNames.has(name))
    if (foreign) throw new jose.JWTInvalid(`header ${foreign}`)
    if (header.alg !== algorithm || typeof header.kid !== 'string' || header.kid.length > 64)
      throw new jose.JWTInvalid('alg or kid')
    const key = await keys.find(header.kid)
    if (!key) throw new jose.JWKSNoMatchingKey()
    return key
  }

  async function verifyAnew(token: string): Promise<VerifiedToken> {
    if (token.length > longestToken || !compactJws.test(token))
      throw new Problem('invalid_token', { cause: 'not a compact JWS' })
    try {
      const { payload } = await jwtVerify(token, await findKey(token), {
        algorithms: [algorithm],
        typ: accessTokenType,
        issuer,
        audience,
        requiredClaims: ['exp', 'iat', 'sub', 'jti'],
        clockTolerance: leewaySeconds,
        currentDate: new Date(now()),
      })
      const claims = claimsSchema.parse(payload)
      return { identity: identitySchema.parse(claims), expiresAt: claims.exp }
    } catch (cause) {
      throw new Problem(cause instanceof KeysUnavailableError ? 'keys_unavailable' : 'invalid_token', {
        cause,
      })
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
    if (known.expiresAt + leewaySeconds <= now() / 1000) {
      verified.delete(token)
      throw new Problem('invalid_token', { cause: 'expired' })
    }
    return known
  }
}

export type VerifyToken = ReturnType<typeof createTokenVerifier>
