import { accessTokenType, frontendClient } from '../../shared/auth/claims.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import { signJwt } from '../keys/sign-jwt.ts'
import type { SessionWithEntitlements } from './queries.ts'

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

/** Signs access tokens (RFC 9068) with all claims that a request needs. */
export function createAccessTokens({ keys, issuer, audience, lifeSeconds }: AccessTokenOptions) {
  return {
    /**
     * A token never outlives its session or the paid period of its plan, so that either ends in
     * time without a job. Its lifetime is at least one second, as its times are whole seconds.
     */
    async sign(bearer: SessionWithEntitlements): Promise<SignedToken> {
      const { userId, sessionId, sessionSecondsLeft, secondsLeft, ...claims } = bearer
      const longest = Math.min(lifeSeconds, sessionSecondsLeft, secondsLeft ?? lifeSeconds)
      const expiresIn = Math.max(1, Math.floor(longest))
      const own = { iss: issuer, aud: audience, sub: userId, sid: sessionId, client_id: frontendClient }
      const token = await signJwt(keys.signing(), accessTokenType, { ...claims, ...own }, expiresIn)
      return { token, expiresIn }
    },
  }
}

export type AccessTokens = ReturnType<typeof createAccessTokens>
