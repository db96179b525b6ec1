import type { MonotonicMs } from '../../../shared/lib/time.ts'
import type { Operation } from '../history.ts'

export interface LockoutRules {
  tries: number
  windowSeconds: number
  lockoutSeconds: number
}

/**
 * An attempt whose origin ended holds its place for this long: `reservationSeconds` of
 * origin/lockout/queries.ts.
 */
const claimMs = 60_000

const isLogin = ({ kind }: Operation) => kind === 'login'
const isFailure = ({ code }: Operation) => code === 'invalid_credentials'

/** Logins before this one, the newest first. */
const loginsBefore = (operations: readonly Operation[], operation: Operation) =>
  operations.filter((one) => isLogin(one) && one.invokedAt < operation.invokedAt).toReversed()

/**
 * Whether the account is locked throughout this login: the first failures after a successful login
 * used the attempts up, all of them were acknowledged, and none of them may have expired.
 */
export function isCertainlyLocked(
  operations: readonly Operation[],
  login: Operation,
  { tries, windowSeconds, lockoutSeconds }: LockoutRules,
): boolean {
  const before = loginsBefore(operations, login)
  const success = before.findIndex(({ outcome }) => outcome === 'ok')
  if (success < 0) return false
  const since = before.slice(0, success).toReversed()
  const [start] = before.slice(success)
  // A request without a response may succeed later, and clear the failures.
  const mayInterfere = before.some(
    ({ outcome, invokedAt }) =>
      outcome === 'unknown' && invokedAt > (start as Operation).invokedAt - 2 * claimMs,
  )
  const failures = since.filter(isFailure).slice(0, tries)
  const last = failures[tries - 1]
  if (mayInterfere || !last) return false
  const isOneRow = failures.every(({ invokedAt }, index) => {
    const next = failures[index + 1]
    return !next || next.completedAt - invokedAt < windowSeconds * 1000
  })
  const endsAt: MonotonicMs = last.invokedAt + lockoutSeconds * 1000
  return isOneRow && last.completedAt < login.invokedAt && login.completedAt < endsAt
}

/** Whether enough attempts that failed, or may have failed, came before the login ended. */
export function mayBeLocked(
  operations: readonly Operation[],
  login: Operation,
  { tries, windowSeconds, lockoutSeconds }: LockoutRules,
): boolean {
  const keptMs = Math.max(windowSeconds, lockoutSeconds) * 1000
  const counted = loginsBefore(operations, login).filter(
    (one) =>
      (one.outcome === 'unknown' && one.invokedAt + 2 * claimMs + keptMs * tries > login.invokedAt) ||
      (isFailure(one) && one.completedAt + keptMs * tries > login.invokedAt),
  )
  return counted.length >= tries
}
