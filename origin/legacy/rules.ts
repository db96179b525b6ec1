import type { ImportedAccount } from './queries.ts'

/** Why a genuine token opens no session: for the audit row, the response says less. */
export type ExchangeRefusal = 'account_unknown' | 'account_disabled' | 'email_unverified'

interface ExchangeFacts {
  account: ImportedAccount | undefined
  requireVerifiedEmail: boolean
}

/**
 * The same accounts as at a login. A lockout does not count: it follows from wrong passwords, and
 * live sessions, of which the token is one, go on.
 */
export function evaluateExchange({
  account,
  requireVerifiedEmail,
}: ExchangeFacts): { kind: 'admitted'; account: ImportedAccount } | { kind: ExchangeRefusal } {
  if (!account) return { kind: 'account_unknown' }
  if (account.status === 'disabled') return { kind: 'account_disabled' }
  if (requireVerifiedEmail && !account.emailVerified) return { kind: 'email_unverified' }
  return { kind: 'admitted', account }
}
