import { type Acr, accessTokenType, frontendClient } from '../../shared/auth/claims.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import { signJwt } from '../keys/sign-jwt.ts'
import type { SessionWithEntitlements } from './queries.ts'

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
    /**
     * A token never outlives its session, the paid period of its plan or its aal2, so that each
     * ends in time without a job. Its lifetime is at least one second, as its times are whole
     * seconds.
     */
    async sign(bearer: SessionWithEntitlements): Promise<SignedToken> {
      const { userId, sessionId, sessionSecondsLeft, secondsLeft, ...rest } = bearer
      const { acr: reached, authTime, secondsSinceAuthTime, ...claims } = rest
      const aal2SecondsLeft = reached === 'aal2' ? aal2Seconds - secondsSinceAuthTime : 0
      const acr: Acr = aal2SecondsLeft > 0 ? 'aal2' : 'aal1'
      const longest = Math.min(
        lifeSeconds,
        sessionSecondsLeft,
        secondsLeft ?? lifeSeconds,
        acr === 'aal2' ? aal2SecondsLeft : lifeSeconds,
      )
      const expiresIn = Math.max(1, Math.floor(longest))
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
