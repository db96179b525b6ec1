import type { MonotonicMs } from '../../../shared/lib/time.ts'
import type { Fault, Operation } from '../history.ts'
import type { SessionFacts } from './session-facts.ts'

/** Settings of the origin that decide when a repeated refresh token counts as reuse. */
export interface ReuseRules {
  graceSeconds: number
  lateReplays: number
}

/** Time after which a request without a response is over where nothing fails. */
const promptMs = 3000

/** The same where something fails: a paused process goes on with it later. */
const longestMs = 60_000

/** The last moment at which a request may have taken effect. */
function latestEffect(operation: Operation, faults: readonly Fault[]): MonotonicMs {
  const { outcome, invokedAt, completedAt } = operation
  if (outcome !== 'unknown') return completedAt
  const promptAt = completedAt + promptMs
  const isDisturbed = faults.some(({ beganAt, endedAt }) => beganAt < promptAt && endedAt > invokedAt)
  return isDisturbed ? Math.max(promptAt, invokedAt + longestMs) : promptAt
}

/**
 * Whether the documented rules of reuse allow that this operation found the session ended: a token
 * came again after the grace window, and its successor was used, or the late replays were used up.
 * A request without a response may have come later than its client gave up. It has not ended the
 * session before the last refresh that succeeded.
 */
export function mayCountAsReuse(
  { login, refreshes }: SessionFacts,
  found: Operation,
  faults: readonly Fault[],
  { graceSeconds, lateReplays }: ReuseRules,
): boolean {
  const arrived = refreshes.filter(({ invokedAt }) => invokedAt < found.completedAt)
  const effectOf = (operation: Operation) => Math.min(latestEffect(operation, faults), found.completedAt)
  const aliveAt = arrived
    .filter(({ outcome, completedAt }) => outcome === 'ok' && completedAt < found.invokedAt)
    .reduce((latest, { invokedAt }) => Math.max(latest, invokedAt), login.invokedAt)

  const isLate = (one: Operation) =>
    arrived.some(
      (other) =>
        other !== one && other.token === one.token && other.invokedAt + graceSeconds * 1000 <= effectOf(one),
    )
  const late = arrived.filter(isLate)
  const ending = late.filter((one) => effectOf(one) >= aliveAt)
  if (ending.length > 0 && late.length > lateReplays) return true
  return ending.some((one) => {
    const successor = arrived.find(({ token, returnedToken }) => token === one.token && returnedToken)
    return arrived.some(
      ({ token, invokedAt }) => token === successor?.returnedToken && invokedAt < effectOf(one),
    )
  })
}
