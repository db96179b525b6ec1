import { decodeJwt } from 'jose'
import { maxTokenLength } from '../../shared/auth/verify-access-token.ts'
import type { LegacyIssuer } from '../../shared/legacy-issuers.ts'
import type { Now } from '../ports.ts'

/**
 * Recognizes tokens of former systems by their `iss`, until the end date of the exchange. Nothing
 * is verified and no key is needed: the result decides which 401 an invalid token gets, and the
 * origin verifies what is exchanged.
 *
 * @returns undefined where no former system is configured
 */
export function createLegacyTokenTest(
  issuers: readonly Pick<LegacyIssuer, 'issuer' | 'ends_at'>[],
  now: Now,
): ((token: string) => boolean) | undefined {
  if (issuers.length === 0) return undefined
  const endsAt = new Map<unknown, number>(issuers.map(({ issuer, ends_at }) => [issuer, ends_at]))
  return function isLegacyToken(token) {
    return (endsAt.get(issuerOf(token)) ?? 0) > now()
  }
}

/** @returns the `iss`, empty where the token has none; undefined for a text that is no JWT */
function issuerOf(token: string): unknown {
  if (token.length > maxTokenLength) return undefined
  try {
    return decodeJwt(token).iss ?? ''
  } catch {
    return undefined
  }
}
