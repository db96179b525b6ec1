import type { Credentials, LoginOutcome } from './queries.ts'

interface LoginFacts {
  account: Credentials | undefined
  passwordMatches: boolean
}

/** The subscription has no say here: it narrows the features, never the login. */
export function judgeLogin({ account, passwordMatches }: LoginFacts): LoginOutcome {
  if (!account) return 'unknown_account'
  if (!passwordMatches) return 'wrong_password'
  if (account.status === 'disabled') return 'account_disabled'
  return 'succeeded'
}
