import type { EpochMs, EpochSeconds } from '../../shared/lib/time.ts'
import type { Authentication } from '../sessions/queries.ts'
import type { FactorKind, Factors } from './queries.ts'

/** The second factors that an account can present. Recovery codes alone are none. */
export function availableFactors({ totpSince, recoveryCodesLeft }: Factors): FactorKind[] {
  if (!totpSince) return []
  return recoveryCodesLeft > 0 ? ['totp', 'recovery_code'] : ['totp']
}

/** Those of an address or an id without an account. */
export const noFactors: Factors = { totpSince: null, recoveryCodesLeft: 0 }

export const hasSecondFactor = (factors: Factors): boolean => availableFactors(factors).length > 0

/**
 * Whether a known device may skip the second factor. One that was remembered before the present
 * factor was set up may not: the former factor may have been lost with the device.
 */
export function maySkipFactor(
  device: { factorAt?: EpochSeconds | undefined } | undefined,
  { totpSince }: Factors,
  { rememberSeconds, now }: { rememberSeconds: number; now: EpochMs },
): boolean {
  const factorAt = device?.factorAt
  if (factorAt === undefined || (factorAt + rememberSeconds) * 1000 <= now) return false
  return totpSince === null || Math.floor(totpSince.getTime() / 1000) <= factorAt
}

/**
 * Whether the owner has presented the present factor on a device. One second of tolerance: tokens
 * have whole seconds.
 */
export function hasPresentedFactor(
  { codeAt }: { codeAt?: EpochSeconds | undefined },
  { totpSince }: Factors,
): boolean {
  return codeAt !== undefined && totpSince !== null && Math.floor(totpSince.getTime() / 1000) <= codeAt
}

/** Methods that identify a user before a second factor does (RFC 8176). */
const firstFactors = ['pwd', 'hwk', 'swk']

/** The authentication of a session whose user presented a code. Codes of both kinds are `otp`. */
export function withCode({ amr }: Pick<Authentication, 'amr'>): Authentication {
  const firsts = amr.filter((method) => firstFactors.includes(method))
  return firsts.length > 0 ? { amr: [...firsts, 'otp', 'mfa'], acr: 'aal2' } : { amr: ['otp'], acr: 'aal1' }
}

/** The authentication of a login, or a step-up, by password alone. */
export const byPassword = { amr: ['pwd'], acr: 'aal1' } as const satisfies Authentication
