import type { DatabaseState, History, Operation } from '../history.ts'
import type { SessionFacts } from './session-facts.ts'
import type { Violation } from './violation.ts'

/** Actions that one request does once. */
const onceActions = ['account.registered', 'login.succeeded', 'login.failed', 'password.changed']

/** I6: a request that may not be repeated reaches its upstream once at most. */
export function checkDeliveries({ operations, deliveries }: History): Violation[] {
  const orders = operations.filter(({ kind }) => kind === 'order')
  const shown = ({ account, id }: Operation, rule: string): Violation => ({
    invariant: 'I6',
    rule,
    account,
    operation: id,
  })
  return orders.flatMap((order) => {
    const count = deliveries[order.requestId] ?? 0
    if (count > 1) return [shown(order, 'an order reaches the upstream once at most')]
    if (count === 0 && order.outcome === 'ok')
      return [shown(order, 'an acknowledged order has reached the upstream')]
    return []
  })
}

/** I3, and I1 as the database has it at the end. */
export function checkDatabase(
  operations: readonly Operation[],
  sessions: readonly SessionFacts[],
  { audits, sessions: rows, revoked }: DatabaseState,
): Violation[] {
  const actions = Map.groupBy(audits, ([requestId]) => requestId)
  const rowOf = new Map(rows.map((row) => [row.id, row]))
  const revokedIds = new Set(revoked)
  const violations: Violation[] = []
  const violate = (invariant: Violation['invariant'], rule: string, { account, id }: Operation) =>
    violations.push({ invariant, rule, account, operation: id })

  for (const operation of operations) {
    const found = (actions.get(operation.requestId) ?? []).map(([, action]) => action)
    const due = dueAction(operation)
    if (due !== undefined && !found.includes(due)) violate('I3', `an audit row says ${due}`, operation)
    for (const action of onceActions)
      if (found.filter((one) => one === action).length > 1)
        violate('I6', `a request is sent once: one ${action}`, operation)
  }
  for (const { id, login, endings } of sessions) {
    const row = rowOf.get(id)
    if (!row) violate('I1', 'an acknowledged login has a session', login)
    else {
      const [ending] = endings
      if (ending && row.endReason === null) violate('I1', 'an acknowledged end of a session stays', ending)
      if (row.endReason !== null && !revokedIds.has(id))
        violate('I3', 'the end of a session has its row of revocation', ending ?? login)
      if (row.unspentTokens > 1) violate('I2', 'a session has one live refresh token', login)
    }
  }
  return violations
}

/** The audit action that an acknowledged change commits with. */
function dueAction({ kind, outcome, code }: Operation): string | undefined {
  if (kind === 'login' && code === 'invalid_credentials') return 'login.failed'
  if (code === 'refresh_reused') return 'session.refresh_reused'
  if (outcome !== 'ok') return undefined
  if (kind === 'login') return 'login.succeeded'
  return kind === 'change_password' ? 'password.changed' : undefined
}
