import type { AccountStatus, Claim } from '../lockout/queries.ts'

export type LoginOutcome =
  | 'succeeded'
  | 'unknown_account'
  | 'account_locked'
  | 'wrong_password'
  | 'account_disabled'
  | 'email_unverified'

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
export function judgeLogin({ claim, status, requireVerifiedEmail }: LoginFacts): LoginOutcome {
  const { account, state } = claim
  if (!account) return 'unknown_account'
  if (state === 'locked') return 'account_locked'
  if (!status) return 'wrong_password'
  if (status === 'disabled') return 'account_disabled'
  if (requireVerifiedEmail && !account.emailVerified) return 'email_unverified'
  return 'succeeded'
}
