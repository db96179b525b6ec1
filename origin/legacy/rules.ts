import type { ImportedAccount } from './queries.ts'

/** Why a genuine token opens no session: for the audit row, the response says less. */
export type ExchangeRefusal = 'account_unknown' | 'account_disabled' | 'email_unverified'

interface ExchangeFacts {
  account: ImportedAccount | undefined
  requireVerifiedEmail: boolean
  /** Whether the account has a second factor. */
  isFactorDue: boolean
}

type ExchangeVerdict =
  | { kind: 'admitted'; account: ImportedAccount }
  /** The token counts as the password, and the second factor is due. */
  | { kind: 'mfa_required'; account: ImportedAccount }
  | { kind: ExchangeRefusal }

/**
 * The same accounts as at a login. A lockout does not count: it follows from wrong passwords, and
 * live sessions, of which the token is one, go on. The second factor does: the former system may
 * never have asked for it.
 */
export function evaluateExchange({
  account,
  requireVerifiedEmail,
  isFactorDue,
}: ExchangeFacts): ExchangeVerdict {
  if (!account) return { kind: 'account_unknown' }
  if (account.status === 'disabled') return { kind: 'account_disabled' }
  if (requireVerifiedEmail && !account.emailVerified) return { kind: 'email_unverified' }
  return { kind: isFactorDue ? 'mfa_required' : 'admitted', account }
}
