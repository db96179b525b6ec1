import { attemptHeader } from '../../shared/http/headers.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Transaction } from '../db/types.ts'
import type { FactorKind, Factors } from '../factors/queries.ts'
import { availableFactors } from '../factors/rules.ts'
import type { RequestContext } from '../http/request-context.ts'
import { hashToken, newOpaqueToken } from '../opaque-token.ts'
import { challengeSeconds, insertLoginChallenge, type LoginChallenge } from './login-challenges.ts'

/** The first factor was right; the token and one of the factors finish the login. */
export interface FactorRequired {
  kind: 'mfa_required'
  mfaToken: string
  factors: FactorKind[]
}

interface FactorChallenge extends LoginChallenge {
  factors: Factors
  context: RequestContext
  /** Of the audit row. */
  details?: Record<string, string>
}

/** Makes the `mfa_token` that `createFactorLogin` accepts, with its audit row. */
export async function requireFactor(
  transaction: Transaction,
  { userId, passwordVersion, deviceId, factors, context, details = {} }: FactorChallenge,
): Promise<FactorRequired> {
  const mfaToken = newOpaqueToken()
  await insertLoginChallenge(transaction, hashToken(mfaToken), { userId, passwordVersion, deviceId })
  await insertAuditRow(transaction, {
    action: 'login.factor_required',
    actorId: null,
    userId,
    context,
    details,
  })
  return { kind: 'mfa_required', mfaToken, factors: availableFactors(factors) }
}

/** The members and headers of a rejection with `mfa_required`, at every endpoint that signs in. */
export const factorRequiredParts = ({ mfaToken, factors }: FactorRequired) => ({
  members: { mfa_token: mfaToken, factors, expires_in: challengeSeconds },
  // The credential was right: the attempt is no failure of its address.
  headers: { [attemptHeader]: 'not_failed' },
})
