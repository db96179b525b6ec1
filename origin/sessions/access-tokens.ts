import { SignJWT } from 'jose'
import { accessTokenType, algorithm } from '../../shared/claims.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import { frontendClient } from '../oauth/client-id.ts'
import type { Bearer } from './queries.ts'

interface AccessTokenOptions {
  keys: Pick<KeyRing, 'signing'>
  issuer: string
  audience: string
  lifeSeconds: number
}

/** Makes access tokens (RFC 9068) that carry all a request needs. */
export function createAccessTokens({ keys, issuer, audience, lifeSeconds }: AccessTokenOptions) {
  return {
    lifeSeconds,

    async sign({ userId, sessionId, ...entitlements }: Bearer): Promise<string> {
      const { kid, key } = keys.signing()
      return new SignJWT({ ...entitlements, sid: sessionId, client_id: frontendClient })
        .setProtectedHeader({ alg: algorithm, kid, typ: accessTokenType })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(userId)
        .setJti(crypto.randomUUID())
        .setIssuedAt()
        .setExpirationTime(`${lifeSeconds}s`)
        .sign(key)
    },
  }
}

export type AccessTokens = ReturnType<typeof createAccessTokens>
