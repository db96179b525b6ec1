import { decodeJwt, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { clockLeewaySeconds } from '../../shared/auth/claims.ts'
import { maxTokenLength } from '../../shared/auth/verify-access-token.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { LegacyIssuer } from '../../shared/legacy-issuers.ts'
import type { EpochMs, Now } from '../../shared/lib/time.ts'
import { hashToken } from '../opaque-token.ts'
import type { IssuerKey } from './issuer-keys.ts'
import { evaluateLegacyClaims, type LegacyTokenFault } from './token-rules.ts'

export interface LegacyIdentity {
  issuer: string
  /** The id of the account in the former system, as it was imported. */
  externalId: string
  /** SHA-256 of the signed part: one token has several spellings of its signature. */
  digest: Buffer
  expiresAt: EpochMs
}

type LegacyTokenOutcome =
  | { kind: 'genuine'; identity: LegacyIdentity }
  | { kind: 'issuer_ended' }
  | { kind: 'without_exp' }
  | { kind: 'invalid'; fault: LegacyTokenFault }

export type VerifyLegacyToken = (token: string) => Promise<LegacyTokenOutcome>

interface LegacyVerifierOptions {
  issuers: readonly { issuer: LegacyIssuer; key: IssuerKey }[]
  now?: Now
}

/** A JWS in compact form. The decoder of base64url would skip spaces. */
const compactJws = /^[\w-]+\.[\w-]+\.[\w-]*$/

const invalid = (fault: LegacyTokenFault) => ({ kind: 'invalid', fault }) as const

/**
 * Verifies tokens of former systems, each with the one algorithm and the keys of its issuer. No
 * header of a token chooses either, nor is `jwk`, `jku` or `x5u` followed.
 *
 * Rejects with a Problem `keys_unavailable` where the key set of the issuer cannot be read.
 */
export function createLegacyTokenVerifier({
  issuers,
  now = Date.now,
}: LegacyVerifierOptions): VerifyLegacyToken {
  const byName = new Map<unknown, (typeof issuers)[number]>(issuers.map((each) => [each.issuer.issuer, each]))

  return async function verifyLegacyToken(token) {
    if (token.length > maxTokenLength) return invalid('too long')
    const unverified = compactJws.test(token) ? readUnverified(token) : undefined
    if (!unverified) return invalid('not a JWT')
    const known = byName.get(unverified.iss === undefined ? '' : unverified.iss)
    if (!known) return invalid('unknown issuer')
    const { issuer, key } = known
    if (issuer.ends_at <= now()) return { kind: 'issuer_ended' }
    const verified = await verify(token, issuer, key, now())
    if (verified.kind === 'invalid') return verified
    const evaluated = evaluateLegacyClaims(verified.payload, issuer)
    if (evaluated.kind !== 'genuine') return evaluated
    const { externalId, expiresAt } = evaluated
    const digest = hashToken(token.slice(0, token.lastIndexOf('.')))
    return { kind: 'genuine', identity: { issuer: issuer.issuer, externalId, digest, expiresAt } }
  }
}

/** The claims before the signature is verified, to find the issuer. */
function readUnverified(token: string): JWTPayload | undefined {
  try {
    return decodeJwt(token)
  } catch {
    return undefined
  }
}

/** @throws Problem `keys_unavailable` */
async function verify(
  token: string,
  { algorithm, audience }: LegacyIssuer,
  key: IssuerKey,
  now: EpochMs,
): Promise<{ kind: 'good'; payload: JWTPayload } | { kind: 'invalid'; fault: LegacyTokenFault }> {
  const options = {
    algorithms: [algorithm],
    clockTolerance: clockLeewaySeconds,
    currentDate: new Date(now),
    ...(audience !== undefined && { audience }),
  }
  try {
    const { payload } = await jwtVerify(token, key as JWTVerifyGetKey, options)
    return { kind: 'good', payload }
  } catch (error) {
    if (error instanceof errors.JOSEError) return invalid(error.code as `ERR_${string}`)
    // A key of the former system that cannot be used: its tokens are not invalid for that.
    throw error instanceof Problem ? error : new Problem('keys_unavailable', { cause: error })
  }
}
