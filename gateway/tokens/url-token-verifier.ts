import * as z from 'zod'
import { claimsSchema, urlTokenType } from '../../shared/auth/claims.ts'
import { verifyAccessToken } from '../../shared/auth/verify-access-token.ts'
import { type Awaitable, chain } from '../../shared/lib/async.ts'
import type { Now } from '../ports.ts'
import { createForgeryThrottle } from './forgery-throttle.ts'
import { createIdentityInterner } from './identity-interner.ts'
import type { KeySet } from './jwks-cache.ts'
import { throwTokenProblem } from './token-verifier.ts'
import type { VerifiedToken } from './verified-token.ts'

interface UrlTokenVerifierOptions {
  keys: Pick<KeySet, 'find'>
  issuer: string
  audience: string
  now: Now
}

const urlClaimsSchema = claimsSchema.extend({ target: z.string(), stream_exp: z.number() })

/** The caller of a signed URL, and the path and query that it is good for. */
export interface VerifiedUrl {
  caller: VerifiedToken
  target: string
}

/**
 * Verifies the tokens of signed URLs. None is cached: most are used once, and a token in the cache
 * of access tokens would be one.
 */
export function createUrlTokenVerifier({ keys, issuer, audience, now }: UrlTokenVerifierOptions) {
  const compactIdentity = createIdentityInterner()
  const { guard } = createForgeryThrottle({ now })

  function toVerifiedUrl(payload: unknown): VerifiedUrl {
    const { iss, aud, client_id, iat, exp, target, stream_exp, ...claims } = urlClaimsSchema.parse(payload)
    const { identity, internedClaims } = compactIdentity(claims)
    // The URL opens until `exp`; a stream that it opened may go on like one of an access token.
    const caller = { identity, internedClaims, expiresAt: stream_exp, assertion: undefined, usage: undefined }
    return { caller, target }
  }

  function verify(token: string, addressKey: string): Awaitable<VerifiedUrl> {
    const findKey = (kid: string) =>
      chain(keys.find(kid), (verifySignature) => verifySignature && guard(verifySignature, addressKey))
    const payload = verifyAccessToken(token, { type: urlTokenType, findKey, issuer, audience, now: now() })
    return chain(payload, toVerifiedUrl)
  }

  return {
    /**
     * Throws or rejects with TokenExpired, or Problem `invalid_token`, `keys_unavailable`,
     * `overloaded`.
     *
     * @param addressKey the address that the token came from, or its /64
     */
    verify(token: string, addressKey: string): Awaitable<VerifiedUrl> {
      try {
        const verified = verify(token, addressKey)
        return verified instanceof Promise ? verified.catch(throwTokenProblem) : verified
      } catch (error) {
        return throwTokenProblem(error)
      }
    },
  }
}

export type UrlTokenVerifier = ReturnType<typeof createUrlTokenVerifier>
