import { shortestHistory } from '../checker/shortest-history.ts'
import type { Violation } from '../checker/violation.ts'
import type { Operation } from '../history.ts'
import { type DrillResult, rules } from './run-drill.ts'

const shownViolations = 5

/** The figures of a drill, and each violation with the shortest history that shows it. */
export function reportOf({ history, violations }: DrillResult, seed: number): string {
  const { operations, faults } = history
  const count = (items: readonly unknown[], one: string) =>
    `${items.length} ${one}${items.length === 1 ? '' : 's'}`
  const byOutcome = Object.entries(Object.groupBy(operations, ({ outcome }) => outcome))
    .map(([outcome, some]) => `${some.length} ${outcome}`)
    .join(', ')
  return [
    `seed ${seed}: ${count(operations, 'operation')} (${byOutcome}), ${count(faults, 'fault')}, ${count(violations, 'violation')}`,
    ...violations.slice(0, shownViolations).flatMap((violation) => ['', ...describe(violation, history)]),
    ...(violations.length > shownViolations ? ['', `and ${violations.length - shownViolations} more`] : []),
  ].join('\n')
}

function describe(violation: Violation, history: DrillResult['history']): string[] {
  const { invariant, rule, account, operation } = violation
  const heading = `${invariant} is violated (${account ?? 'all accounts'}): ${rule}`
  if (operation === undefined) return [heading]
  const { operations, faults } = shortestHistory(history, violation, rules)
  return [
    heading,
    ...operations.map(describeOperation),
    ...(faults.length > 0 ? [`  with ${faults.length} faults`] : []),
  ]
}

function describeOperation(operation: Operation): string {
  const { id, kind, gateway, invokedAt, completedAt, status, code, ...values } = operation
  const seconds = (ms: number) => (ms / 1000).toFixed(3)
  const { session, token, password, newPassword, returnedSession, returnedToken } = values
  const shown = { session, token, password, newPassword, returnedSession, returnedToken }
  const details = Object.entries(shown).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  )
  const response = status === undefined ? 'no response' : `${status}${code ? ` ${code}` : ''}`
  return `  ${seconds(invokedAt)}-${seconds(completedAt)} s  #${id} ${kind} at gateway ${gateway + 1}: ${response}  ${details.join(' ')}`
}
