import type { AccountStatus, AttemptReservation, Credentials } from '../lockout/queries.ts'

/** The reason stored with an attempt. The client can tell only `email_unverified` apart. */
export type LoginFailure =
  | 'unknown_account'
  /** By a lockout; `account_disabled`: by an admin. */
  | 'account_locked'
  | 'wrong_password'
  | 'account_disabled'
  | 'email_unverified'

export type LoginVerdict =
  | { kind: 'succeeded'; account: Credentials }
  /** The password is right, and the second factor is due. */
  | { kind: 'mfa_required'; account: Credentials }
  | { kind: LoginFailure }

/** How an attempt to log in ended, by its password or by the code of a second factor. */
export type LoginKind = LoginVerdict['kind'] | 'wrong_code'

interface LoginFacts {
  reservation: Pick<AttemptReservation, 'account' | 'state'>
  /**
   * The account's current status, which may have changed since the reservation; undefined where the
   * password is wrong.
   */
  status: AccountStatus | undefined
  requireVerifiedEmail: boolean
  /** Whether the account has a second factor that this device may not skip. */
  isFactorDue: boolean
}

/** The subscription does not matter: it limits features, never the login. */
export function evaluateLogin({
  reservation,
  status,
  requireVerifiedEmail,
  isFactorDue,
}: LoginFacts): LoginVerdict {
  const { account, state } = reservation
  if (!account) return { kind: 'unknown_account' }
  if (state === 'locked') return { kind: 'account_locked' }
  if (!status) return { kind: 'wrong_password' }
  if (status === 'disabled') return { kind: 'account_disabled' }
  if (requireVerifiedEmail && !account.emailVerified) return { kind: 'email_unverified' }
  return { kind: isFactorDue ? 'mfa_required' : 'succeeded', account }
}
