import type { Operation } from '../history.ts'
import { isCertainlyLocked, type LockoutRules, mayBeLocked } from './lockouts.ts'
import { createPossiblePasswords } from './possible-passwords.ts'
import type { Violation } from './violation.ts'

/**
 * Checks one account's registration, password and lockout. Its client sends one of these requests
 * at a time, so that the set of passwords that the account may have follows from the responses.
 *
 * @param operations of one account, in the order of their invocation
 */
export function checkAccount(operations: readonly Operation[], rules: LockoutRules): Violation[] {
  const violations: Violation[] = []
  const passwords = createPossiblePasswords()
  const violate = ({ account, id }: Operation, rule: string) =>
    violations.push({ invariant: 'I1', rule, account, operation: id })

  function checkChange(operation: Operation, password: string, newPassword: string): void {
    const { code, outcome } = operation
    if (code === 'password_wrong' && passwords.isCertain(password))
      violate(operation, 'the password that was acknowledged last is the current one')
    if (outcome === 'rejected') return
    passwords.begin(password, newPassword)
    if (outcome !== 'ok') return
    if (!passwords.mayBe(newPassword)) violate(operation, 'a password change needs the current password')
    passwords.observe(newPassword)
  }

  function checkLogin(operation: Operation, password: string): void {
    const { outcome, code } = operation
    if (outcome === 'ok') {
      if (!passwords.mayBe(password)) violate(operation, 'a login needs the current password')
      passwords.observe(password)
      if (isCertainlyLocked(operations, operation, rules))
        violate(operation, 'a lockout holds until its end, also for the right password')
    } else if (code === 'invalid_credentials' && !mayBeLocked(operations, operation, rules)) {
      if (passwords.isCertain(password)) violate(operation, 'the password that was acknowledged last logs in')
      else passwords.exclude(password)
    }
  }

  for (const operation of operations) {
    const { kind, password, newPassword, outcome } = operation
    if (password === undefined) continue
    if (kind === 'register' && outcome !== 'rejected') passwords.register(password, outcome === 'ok')
    if (kind === 'change_password' && newPassword) checkChange(operation, password, newPassword)
    if (kind === 'login') checkLogin(operation, password)
  }
  return violations
}
