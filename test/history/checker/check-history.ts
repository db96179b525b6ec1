import type { History, Operation } from '../history.ts'
import { checkAccount } from './accounts.ts'
import { checkDatabase, checkDeliveries } from './final-state.ts'
import type { LockoutRules } from './lockouts.ts'
import { checkResponses } from './responses.ts'
import type { ReuseRules } from './reuse.ts'
import { checkRevocationBound, type RevocationRules } from './revocation-bound.ts'
import { sessionFacts } from './session-facts.ts'
import { checkSessions } from './sessions.ts'
import type { Violation } from './violation.ts'

/** Settings of the services, and bounds of the documentation. */
export interface Rules {
  reuse: ReuseRules
  lockout: LockoutRules
  revocation: RevocationRules
}

/** @returns each violation of an invariant that the history shows; none where all of them held */
export function checkHistory(history: History, rules: Rules): Violation[] {
  const accounts = [...Map.groupBy(history.operations, ({ account }) => account).values()]
  return [
    ...history.crashes.map(
      ({ service, lastLines }): Violation => ({
        invariant: 'no crash',
        rule: `${service} ends only when it is told to: ${lastLines}`,
      }),
    ),
    ...history.unserved.map(
      (account): Violation => ({
        invariant: 'liveness',
        rule: 'after the faults each client logs in, reads its profile and refreshes',
        account,
      }),
    ),
    ...checkResponses(history.operations),
    ...checkDeliveries(history),
    ...accounts.flatMap((operations) => checkOneAccount(operations, history, rules)),
  ]
}

function checkOneAccount(operations: readonly Operation[], history: History, rules: Rules): Violation[] {
  const inOrder = operations.toSorted((a, b) => a.invokedAt - b.invokedAt)
  const sessions = sessionFacts(inOrder)
  return [
    ...checkAccount(inOrder, rules.lockout),
    ...checkSessions(sessions, history.faults, rules.reuse),
    ...checkRevocationBound(sessions, history.faults, rules.revocation),
    ...(history.database ? checkDatabase(inOrder, sessions, history.database) : []),
  ]
}
