import type { AccountStatus, Claim, Credentials } from '../lockout/queries.ts'

/** Stored with the attempt. Only `email_unverified` differs to the client. */
export type LoginFailure =
  | 'unknown_account'
  | 'account_locked'
  | 'wrong_password'
  | 'account_disabled'
  | 'email_unverified'

export type LoginVerdict = { kind: 'succeeded'; account: Credentials } | { kind: LoginFailure }

interface LoginFacts {
  claim: Pick<Claim, 'account' | 'state'>
  /**
   * The account's by now, which may have been locked since the claim; undefined where the password
   * is not its own.
   */
  status: AccountStatus | undefined
  requireVerifiedEmail: boolean
}

/** The subscription has no say here: it narrows the features, never the login. */
export function evaluateLogin({ claim, status, requireVerifiedEmail }: LoginFacts): LoginVerdict {
  const { account, state } = claim
  if (!account) return { kind: 'unknown_account' }
  if (state === 'locked') return { kind: 'account_locked' }
  if (!status) return { kind: 'wrong_password' }
  if (status === 'disabled') return { kind: 'account_disabled' }
  if (requireVerifiedEmail && !account.emailVerified) return { kind: 'email_unverified' }
  return { kind: 'succeeded', account }
}
