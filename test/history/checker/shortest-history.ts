import type { History } from '../history.ts'
import { checkHistory, type Rules } from './check-history.ts'
import type { Violation } from './violation.ts'

/**
 * The shortest history that greedy removal finds to show the same violation at the same operation:
 * operations of its account, and faults. Halves go first, single operations last.
 */
export function shortestHistory(history: History, violation: Violation, rules: Rules): History {
  const isShown = (shorter: History) =>
    checkHistory(shorter, rules).some(
      ({ rule, operation }) => rule === violation.rule && operation === violation.operation,
    )
  let shortest: History = {
    ...history,
    operations: history.operations
      .filter(({ account }) => violation.account === undefined || account === violation.account)
      .toSorted((a, b) => a.invokedAt - b.invokedAt),
    faults: [],
  }
  if (!isShown(shortest)) shortest = { ...shortest, faults: history.faults }
  if (!isShown(shortest)) return history

  for (
    let size = Math.ceil(shortest.operations.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let start = shortest.operations.length - size; start > -size; start -= size) {
      const shorter = {
        ...shortest,
        operations: shortest.operations.toSpliced(Math.max(0, start), size + Math.min(0, start)),
      }
      if (isShown(shorter)) shortest = shorter
    }
  }
  return shortest
}
