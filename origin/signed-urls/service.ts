import { frontendClient, urlTokenType } from '../../shared/auth/claims.ts'
import { urlTokenParameter } from '../../shared/contract.ts'
import type { Sql } from '../db/types.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import { signJwt } from '../keys/sign-jwt.ts'
import { type SessionOwner, selectLiveSession } from '../sessions/queries.ts'
import { lifeWithin, limitTokenLife } from '../sessions/token-life.ts'

interface SignedUrlOptions {
  sql: Sql
  keys: Pick<KeyRing, 'signing'>
  issuer: string
  audience: string
  /** Lifetime of an access token: a stream that a signed URL opens lasts no longer. */
  streamSeconds: number
  /** How long aal2 lasts. */
  aal2Seconds: number
}

/**
 * Signs URLs: a token in the query that names the caller, and is good for one path and query. The
 * gateway verifies it like an access token, without a query, and compares it with revocations.
 */
export function createSignedUrls({
  sql,
  keys,
  issuer,
  audience,
  streamSeconds,
  aal2Seconds,
}: SignedUrlOptions) {
  return {
    /** @returns undefined where the session has ended, or its account is disabled */
    async sign(owner: SessionOwner, target: string, lifeSeconds: number) {
      const session = await selectLiveSession(sql, owner)
      if (!session) return undefined
      const { userId, sessionId, sessionSecondsLeft: _session, secondsLeft: _period, ...rest } = session
      const { acr: _reached, authTime, secondsSinceAuthTime: _age, ...claims } = rest
      const { acr, longestSeconds } = limitTokenLife(session, aal2Seconds)
      const expiresIn = lifeWithin(lifeSeconds, longestSeconds)
      const token = await signJwt(
        keys.signing(),
        urlTokenType,
        {
          ...claims,
          acr,
          auth_time: authTime,
          iss: issuer,
          aud: audience,
          sub: userId,
          sid: sessionId,
          client_id: frontendClient,
          target,
          stream_exp: Math.floor(Date.now() / 1000) + lifeWithin(streamSeconds, longestSeconds),
        },
        expiresIn,
      )
      const separator = target.includes('?') ? '&' : '?'
      const url = `${issuer.replace(/\/$/, '')}${target}${separator}${urlTokenParameter}=${token}`
      return { url, expiresIn }
    },
  }
}

export type SignedUrlService = ReturnType<typeof createSignedUrls>
