import type { Acr } from '../../shared/auth/claims.ts'
import type { SessionWithEntitlements } from './queries.ts'

type TokenBearer = Pick<
  SessionWithEntitlements,
  'acr' | 'secondsSinceAuthTime' | 'sessionSecondsLeft' | 'secondsLeft'
>

/**
 * The level that a token of a session may claim now, and the longest life of that token. A token
 * never outlives its session, the paid period of its plan or its aal2, so that each ends in time
 * without a job.
 */
export function limitTokenLife(
  bearer: TokenBearer,
  aal2Seconds: number,
): { acr: Acr; longestSeconds: number } {
  const { acr: reached, secondsSinceAuthTime, sessionSecondsLeft, secondsLeft } = bearer
  const aal2SecondsLeft = reached === 'aal2' ? aal2Seconds - secondsSinceAuthTime : 0
  const acr: Acr = aal2SecondsLeft > 0 ? 'aal2' : 'aal1'
  const longestSeconds = Math.min(
    sessionSecondsLeft,
    secondsLeft ?? sessionSecondsLeft,
    acr === 'aal2' ? aal2SecondsLeft : sessionSecondsLeft,
  )
  return { acr, longestSeconds }
}

/** Whole seconds of a token's lifetime, at least one. */
export const lifeWithin = (lifeSeconds: number, longestSeconds: number): number =>
  Math.max(1, Math.floor(Math.min(lifeSeconds, longestSeconds)))
