import { accessTokenType, frontendClient } from '../../shared/auth/claims.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import { signJwt } from '../keys/sign-jwt.ts'
import type { SessionWithEntitlements } from './queries.ts'
import { lifeWithin, limitTokenLife } from './token-life.ts'

interface AccessTokenOptions {
  keys: Pick<KeyRing, 'signing'>
  issuer: string
  audience: string
  lifeSeconds: number
  /** How long aal2 lasts after the authentication that reached it. */
  aal2Seconds: number
}

interface SignedToken {
  token: string
  /** Seconds. */
  expiresIn: number
}

/** Signs access tokens (RFC 9068) with all claims that a request needs. */
export function createAccessTokens({ keys, issuer, audience, lifeSeconds, aal2Seconds }: AccessTokenOptions) {
  return {
    async sign(bearer: SessionWithEntitlements): Promise<SignedToken> {
      const { userId, sessionId, sessionSecondsLeft: _session, secondsLeft: _period, ...rest } = bearer
      const { acr: _reached, authTime, secondsSinceAuthTime: _age, ...claims } = rest
      const { acr, longestSeconds } = limitTokenLife(bearer, aal2Seconds)
      const expiresIn = lifeWithin(lifeSeconds, longestSeconds)
      const own = { iss: issuer, aud: audience, sub: userId, sid: sessionId, client_id: frontendClient }
      const authentication = { acr, auth_time: authTime }
      const token = await signJwt(
        keys.signing(),
        accessTokenType,
        { ...claims, ...authentication, ...own },
        expiresIn,
      )
      return { token, expiresIn }
    },
  }
}

export type AccessTokens = ReturnType<typeof createAccessTokens>
