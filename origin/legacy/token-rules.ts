import type { JWTPayload } from 'jose'
import type { LegacyIssuer } from '../../shared/legacy-issuers.ts'
import type { EpochMs } from '../../shared/lib/time.ts'

/** Why a token is not exchanged, for the log. Nothing of the token is in it. */
export type LegacyTokenFault =
  | 'too long'
  | 'not a JWT'
  | 'unknown issuer'
  /** The code of jose's error: signature, algorithm, key, times or audience. */
  | `ERR_${string}`
  | 'required claims'
  | 'delegated'
  | 'claim of the account'

type ClaimsOutcome =
  | { kind: 'genuine'; externalId: string; expiresAt: EpochMs }
  | { kind: 'without_exp' }
  | { kind: 'invalid'; fault: LegacyTokenFault }

const longestExternalId = 200

/** The last time that PostgreSQL and RFC 3339 have in common. */
const latest = Date.UTC(9999, 0, 1)

/** Evaluates the claims of a token whose signature and times are good. */
export function evaluateLegacyClaims(payload: JWTPayload, issuer: LegacyIssuer): ClaimsOutcome {
  if (payload.exp === undefined) return { kind: 'without_exp' }
  const isRequired = Object.entries(issuer.required_claims).every(
    ([name, value]) => own(payload, name) === value,
  )
  if (!isRequired) return { kind: 'invalid', fault: 'required claims' }
  // RFC 8693, section 4.1: somebody acts for the subject. A session would be the subject's own.
  if (own(payload, 'act') !== undefined) return { kind: 'invalid', fault: 'delegated' }
  const id = externalIdOf(own(payload, issuer.account_claim))
  if (id === undefined) return { kind: 'invalid', fault: 'claim of the account' }
  return {
    kind: 'genuine',
    externalId: issuer.external_id_prefix + id,
    expiresAt: Math.min(payload.exp * 1000, latest),
  }
}

const own = (payload: JWTPayload, name: string): unknown =>
  Object.hasOwn(payload, name) ? payload[name] : undefined

/**
 * The id as text. Many systems number their accounts: a whole number stands for its digits, where
 * JSON has kept all of them.
 */
function externalIdOf(value: unknown): string | undefined {
  const text = Number.isSafeInteger(value) ? String(value) : value
  if (typeof text !== 'string' || text === '' || text.length > longestExternalId) return undefined
  // PostgreSQL stores neither NUL nor half characters, so that no account has such an id.
  return text.includes('\0') || !text.isWellFormed() ? undefined : text
}
