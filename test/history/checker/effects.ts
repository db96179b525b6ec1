import type { MonotonicMs } from '../../../shared/lib/time.ts'
import type { Fault, Operation } from '../history.ts'

/** Time after which a request without a response is over where nothing fails. */
const promptMs = 3000

/** The same after the end of a fault: what was held up goes on, and may meet a second fault. */
const heldUpMs = 5000
const faultsInARow = 2

/** A gateway gives up after 30 s, and an origin soon after. */
const longestMs = 60_000

/** The last moment at which a request may have taken effect. */
export function latestEffect(operation: Operation, faults: readonly Fault[]): MonotonicMs {
  const { outcome, invokedAt, completedAt } = operation
  if (outcome !== 'unknown') return completedAt
  let latest = Math.min(completedAt, invokedAt + longestMs) + promptMs
  for (let met = 0; met < faultsInARow; met++)
    for (const { beganAt, endedAt } of faults.filter((fault) => fault.endedAt > invokedAt))
      if (beganAt < latest) latest = Math.max(latest, endedAt + heldUpMs)
  return Math.min(latest, invokedAt + longestMs + promptMs)
}
