import type { Fault, Operation } from '../history.ts'
import { latestEffect } from './effects.ts'
import { aliveAt, type SessionFacts } from './session-facts.ts'

/** Settings of the origin that decide when a repeated refresh token counts as reuse. */
export interface ReuseRules {
  graceSeconds: number
  lateReplays: number
}

/**
 * Whether the documented rules of reuse allow that this operation found the session ended: a token
 * came again after the grace window, and its successor was used, or the late replays were used up.
 * A request without a response may have come later than its client gave up.
 */
export function mayCountAsReuse(
  session: SessionFacts,
  found: Operation,
  faults: readonly Fault[],
  { graceSeconds, lateReplays }: ReuseRules,
): boolean {
  const arrived = session.refreshes.filter(({ invokedAt }) => invokedAt < found.completedAt)
  const effectOf = (operation: Operation) => Math.min(latestEffect(operation, faults), found.completedAt)
  const since = aliveAt(session, found)

  const isLate = (one: Operation) =>
    arrived.some(
      (other) =>
        other !== one && other.token === one.token && other.invokedAt + graceSeconds * 1000 <= effectOf(one),
    )
  const late = arrived.filter(isLate)
  const ending = late.filter((one) => effectOf(one) >= since)
  if (ending.length > 0 && late.length > lateReplays) return true
  return ending.some((one) => {
    const successor = arrived.find(({ token, returnedToken }) => token === one.token && returnedToken)
    return arrived.some(
      ({ token, invokedAt }) => token === successor?.returnedToken && invokedAt < effectOf(one),
    )
  })
}
