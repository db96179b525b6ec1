import { SignJWT } from 'jose'
import { accessTokenType, algorithm, frontendClient } from '../../shared/auth/claims.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import type { Bearer } from './queries.ts'

interface AccessTokenOptions {
  keys: Pick<KeyRing, 'signing'>
  issuer: string
  audience: string
  lifeSeconds: number
}

interface SignedToken {
  token: string
  /** Seconds. */
  expiresIn: number
}

/** Makes access tokens (RFC 9068) that carry all a request needs. */
export function createAccessTokens({ keys, issuer, audience, lifeSeconds }: AccessTokenOptions) {
  return {
    /**
     * A token never outlives its session, nor the period that its plan was paid for, so that the
     * end of either takes effect at its time and no job has to notice it. It lives a second at
     * least, as times in it are whole seconds.
     */
    async sign(bearer: Bearer): Promise<SignedToken> {
      const { userId, sessionId, sessionSecondsLeft, secondsLeft, ...claims } = bearer
      const longest = Math.min(lifeSeconds, sessionSecondsLeft, secondsLeft ?? lifeSeconds)
      const expiresIn = Math.max(1, Math.floor(longest))
      const { kid, key } = keys.signing()
      const token = await new SignJWT({ ...claims, sid: sessionId, client_id: frontendClient })
        .setProtectedHeader({ alg: algorithm, kid, typ: accessTokenType })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(userId)
        .setJti(crypto.randomUUID())
        .setIssuedAt()
        .setExpirationTime(`${expiresIn}s`)
        .sign(key)
      return { token, expiresIn }
    },
  }
}

export type AccessTokens = ReturnType<typeof createAccessTokens>
