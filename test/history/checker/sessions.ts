import type { Fault, Operation } from '../history.ts'
import { latestEffect } from './effects.ts'
import { mayCountAsReuse, type ReuseRules } from './reuse.ts'
import { aliveAt, endedCodes, type SessionFacts } from './session-facts.ts'
import type { Violation } from './violation.ts'

/** Checks one account's sessions: no token works after the end, and none ends without a reason. */
export function checkSessions(
  sessions: readonly SessionFacts[],
  faults: readonly Fault[],
  rules: ReuseRules,
): Violation[] {
  return sessions.flatMap((session) => [
    ...refreshesAfterEnd(session),
    ...unexplainedEnds(session, faults, rules),
    ...secondSuccessors(session),
  ])
}

const isEnded = ({ code }: Operation) => endedCodes.some((ended) => ended === code)

const shown = (invariant: Violation['invariant'], rule: string, { account, id }: Operation): Violation => ({
  invariant,
  rule,
  account,
  operation: id,
})

/** The database is asked at each refresh, so that an acknowledged end holds at once. */
function refreshesAfterEnd({ refreshes, endings, uses }: SessionFacts): Violation[] {
  const rejections = uses.filter((use) => use.kind === 'refresh' && isEnded(use))
  const isAfter = (refresh: Operation) => (end: Operation) => end.completedAt < refresh.invokedAt
  return refreshes
    .filter(({ outcome }) => outcome === 'ok')
    .filter((refresh) => [...endings, ...rejections].some(isAfter(refresh)))
    .map((refresh) => shown('I1', 'a refresh token of a session that has ended is refused', refresh))
}

/**
 * A client that did nothing wrong is not logged out. The first unexplained end explains the
 * rejections after it.
 */
function unexplainedEnds(session: SessionFacts, faults: readonly Fault[], rules: ReuseRules): Violation[] {
  const { uses, possibleEndings } = session
  const mayHaveEnded = (use: Operation) => {
    const since = aliveAt(session, use)
    return possibleEndings.some(
      (ending) =>
        ending !== use && ending.invokedAt < use.completedAt && latestEffect(ending, faults) >= since,
    )
  }
  const unexplained = uses.filter((use) => {
    if (use.status !== 401) return false
    const isExpired = use.tokenExpiresAt !== undefined && use.tokenExpiresAt <= use.completedAt
    if (isExpired) return false
    return !isEnded(use) || !(mayHaveEnded(use) || mayCountAsReuse(session, use, faults, rules))
  })
  return unexplained
    .slice(0, 1)
    .map((use) =>
      shown('I5', 'a session ends only by logout, password change, expiry or reuse of a refresh token', use),
    )
}

function secondSuccessors({ refreshes }: SessionFacts): Violation[] {
  const successors = new Map<string, string>()
  const second = refreshes.filter(({ token, returnedToken }) => {
    if (token === undefined || returnedToken === undefined) return false
    const first = successors.get(token)
    successors.set(token, first ?? returnedToken)
    return first !== undefined && first !== returnedToken
  })
  return second.map((refresh) => shown('I2', 'one refresh token has one successor', refresh))
}
