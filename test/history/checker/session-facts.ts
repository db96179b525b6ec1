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
    const possibleEndings = operations.filter((operation) => mayEnd(operation, id))
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
  const isBornBefore = login.completedAt < ending.invokedAt
  if (ending.kind === 'change_password') return isBornBefore
  // A token of a session that has ended ends no other.
  const caller = sessions.get(ending.session ?? '')
  return isBornBefore && caller !== undefined && !mayHaveEndedBefore(caller, ending)
}

const mayHaveEndedBefore = ({ possibleEndings }: SessionFacts, operation: Operation) =>
  possibleEndings.some((ending) => ending !== operation && ending.invokedAt < operation.completedAt)
