import type { MonotonicMs } from '../../../shared/lib/time.ts'
import type { Fault, Operation } from '../history.ts'
import type { SessionFacts } from './session-facts.ts'
import type { Violation } from './violation.ts'

export interface RevocationRules {
  /** The bound of docs/revocation.md, with what a loaded machine adds. */
  boundMs: number
  /** Time after a fault until everything is reconnected. */
  settleMs: number
}

interface Interval {
  from: MonotonicMs
  to: MonotonicMs
}

/**
 * A gateway refuses the access tokens of a session that has ended within the bound, wherever it can
 * read the feed for that long, or the stream from the moment of the change on. A gateway that is
 * cut off from both knows nothing new, which the documentation says.
 */
export function checkRevocationBound(
  sessions: readonly SessionFacts[],
  faults: readonly Fault[],
  { boundMs, settleMs }: RevocationRules,
): Violation[] {
  const cutsOf = (gateway: number, source: 'cutsFeed' | 'cutsStream') =>
    faults
      .filter((fault) => fault[source].includes(gateway))
      .map(({ beganAt, endedAt }): Interval => ({ from: beganAt, to: endedAt + settleMs }))

  /** Whether an uncut time as long as the bound lies within the interval. */
  function hasQuietTime({ from, to }: Interval, cuts: readonly Interval[]): boolean {
    let quietFrom = from
    for (const cut of cuts.toSorted((a, b) => a.from - b.from)) {
      if (cut.from - quietFrom >= boundMs) break
      quietFrom = Math.max(quietFrom, cut.to)
    }
    return to - quietFrom >= boundMs
  }

  const isIn = (moments: Interval) => (cut: Interval) => cut.from < moments.to && cut.to > moments.from

  /**
   * An origin publishes what it committed. Where it is gone, another one does, from the database.
   */
  const isPublished = (moments: Interval) => {
    const isFailing = (part: Fault['part']) =>
      faults.some(
        (fault) =>
          fault.part === part && isIn(moments)({ from: fault.beganAt, to: fault.endedAt + settleMs }),
      )
    return !(isFailing('origins') && isFailing('postgres'))
  }

  function mustKnow(gateway: number, ending: Operation, at: MonotonicMs): boolean {
    const since = ending.completedAt
    if (at - since < boundMs) return false
    if (hasQuietTime({ from: since, to: at }, cutsOf(gateway, 'cutsFeed'))) return true
    const publishing = { from: ending.invokedAt, to: since + boundMs }
    return !cutsOf(gateway, 'cutsStream').some(isIn(publishing)) && isPublished(publishing)
  }

  return sessions.flatMap(({ uses, endings }) =>
    uses
      .filter(({ kind, outcome }) => ['me', 'order', 'change_password'].includes(kind) && outcome === 'ok')
      .filter((use) => endings.some((ending) => mustKnow(use.gateway, ending, use.invokedAt)))
      .map(({ account, id }) => ({
        invariant: 'revocation bound' as const,
        rule: `a gateway that reads the feed or the stream refuses an access token ${boundMs / 1000} s after its session ended`,
        account,
        operation: id,
      })),
  )
}
