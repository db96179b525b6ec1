import type { MonotonicMs } from '../../../shared/lib/time.ts'
import type { Operation } from '../history.ts'

/** Facts about one session, from the operations of its account in the order of their invocation. */
export interface SessionFacts {
  id: string
  /** The session exists from some moment of this login on. */
  login: Operation
  /** Operations that present a token of the session. */
  uses: readonly Operation[]
  refreshes: readonly Operation[]
  /** Operations that end the session for certain: they were acknowledged. */
  endings: readonly Operation[]
  /** Operations that may end the session, the certain ones among them. */
  possibleEndings: readonly Operation[]
}

/** Codes that tell a bearer that the session is over. */
export const endedCodes = ['refresh_invalid', 'refresh_reused', 'session_ended'] as const

const isReuse = ({ code }: Operation) => code === 'refresh_reused'

export function sessionFacts(operations: readonly Operation[]): SessionFacts[] {
  const logins = operations.filter(({ kind, returnedSession }) => kind === 'login' && returnedSession)
  const facts = logins.map((login): SessionFacts => {
    const id = login.returnedSession as string
    const uses = operations.filter(({ session }) => session === id)
    const possibleEndings = operations.filter(
      (operation) => mayEnd(operation, id) && !isOverBefore(operation, login),
    )
    return {
      id,
      login,
      uses,
      refreshes: uses.filter(({ kind }) => kind === 'refresh'),
      endings: [],
      possibleEndings,
    }
  })
  const byId = new Map(facts.map((session) => [session.id, session]))
  return facts.map((session) => ({
    ...session,
    endings: session.possibleEndings.filter((ending) => endsForCertain(ending, session, byId)),
  }))
}

/** A request without a response may take effect later. */
const isOverBefore = ({ outcome, completedAt }: Operation, login: Operation) =>
  outcome !== 'unknown' && completedAt < login.invokedAt

function mayEnd(operation: Operation, id: string): boolean {
  const { kind, session, outcome } = operation
  if (isReuse(operation)) return session === id
  if (outcome === 'rejected') return false
  switch (kind) {
    case 'logout':
      return session === id
    case 'logout_everywhere':
      return true
    case 'change_password':
      return session !== id
    default:
      return false
  }
}

function endsForCertain(
  ending: Operation,
  { id, login }: SessionFacts,
  sessions: ReadonlyMap<string, SessionFacts>,
): boolean {
  if (isReuse(ending)) return true
  if (ending.outcome !== 'ok') return false
  if (ending.session === id) return true
  const isBornBefore = (one: Operation) => login.completedAt < one.invokedAt
  if (ending.kind === 'change_password') return isBornBefore(ending)
  // A token of a session that has ended ends no other, unless this request came before.
  const caller = sessions.get(ending.session ?? '')
  const isHarmless = (one: Operation) => one.kind === 'logout_everywhere' && isBornBefore(one)
  if (!caller || !isBornBefore(ending)) return false
  return caller.possibleEndings.every(
    (one) => one === ending || one.invokedAt >= ending.completedAt || isHarmless(one),
  )
}

/** The session was alive at this moment: the last refresh that succeeded before the operation. */
export const aliveAt = ({ login, refreshes }: SessionFacts, operation: Operation): MonotonicMs =>
  refreshes
    .filter(({ outcome, completedAt }) => outcome === 'ok' && completedAt < operation.invokedAt)
    .reduce((latest, { invokedAt }) => Math.max(latest, invokedAt), login.invokedAt)
