import type { History, Operation } from '../history.ts'
import { checkHistory, type Rules } from './check-history.ts'
import type { Violation } from './violation.ts'

/** Rules of small histories: times in them are whole seconds. */
export const rules: Rules = {
  reuse: { graceSeconds: 10, lateReplays: 2 },
  lockout: { tries: 5, windowSeconds: 20, lockoutSeconds: 20 },
  revocation: { boundMs: 6000, settleMs: 8000 },
}

type Given = Partial<Omit<Operation, 'invokedAt' | 'completedAt' | 'outcome'>> & Pick<Operation, 'kind'>

/**
 * An operation that lasts from one second to another. Without a status there was no response; a
 * status of 401 needs the code that it came with.
 */
export function operation(from: number, to: number, given: Given): Operation {
  const { status } = given
  const outcome = status === undefined || status >= 500 ? 'unknown' : status >= 400 ? 'rejected' : 'ok'
  return {
    id: from,
    account: 'ada@example.com',
    gateway: 0,
    requestId: `request-${from}`,
    ...(status !== undefined && status >= 500 && { code: 'database_unavailable', retryAfter: '1' }),
    ...given,
    invokedAt: from * 1000,
    completedAt: to * 1000,
    outcome,
  }
}

export const login = (from: number, to: number, session: string, token = `${session}-0`) =>
  operation(from, to, {
    kind: 'login',
    password: 'first',
    status: 200,
    returnedSession: session,
    returnedToken: token,
  })

export const wrongLogin = (from: number, to: number, password = 'wrong') =>
  operation(from, to, { kind: 'login', password, status: 401, code: 'invalid_credentials' })

export const refresh = (from: number, to: number, session: string, token: string, successor: string) =>
  operation(from, to, { kind: 'refresh', session, token, status: 200, returnedToken: successor })

export const lostRefresh = (from: number, to: number, session: string, token: string) =>
  operation(from, to, { kind: 'refresh', session, token })

export const rejectedRefresh = (
  from: number,
  to: number,
  session: string,
  token: string,
  code = 'refresh_invalid',
) => operation(from, to, { kind: 'refresh', session, token, status: 401, code })

export const logout = (from: number, to: number, session: string, status: number | undefined = 204) =>
  operation(from, to, { kind: 'logout', session, ...(status !== undefined && { status }) })

export const me = (from: number, to: number, session: string) =>
  operation(from, to, { kind: 'me', session, status: 200, returnedAccount: 'ada@example.com' })

export function small(operations: readonly Operation[], more: Partial<History> = {}): History {
  return { operations, faults: [], crashes: [], unserved: [], deliveries: {}, ...more }
}

/** Invariants that a small history violates, each with the operation that shows it. */
export function violated(operations: readonly Operation[], more: Partial<History> = {}): string[] {
  return checkHistory(small(operations, more), rules).map(
    ({ invariant, operation: id }: Violation) => `${invariant} at ${id}`,
  )
}
