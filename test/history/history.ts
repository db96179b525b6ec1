import type { MonotonicMs } from '../../shared/lib/time.ts'

/**
 * A history is what clients of a drill observed, in JSON lines: each operation with its invocation
 * and its completion, the faults, and at the end what the database and the upstream had. The
 * checker reads nothing else.
 */

export type OperationKind =
  | 'register'
  | 'login'
  | 'refresh'
  | 'logout'
  | 'logout_everywhere'
  | 'change_password'
  | 'me'
  | 'order'

/** Values that the client knows before it sends the request. */
export interface Invocation {
  id: number
  kind: OperationKind
  /** Address of the account. */
  account: string
  /** Number of the gateway that got the request. */
  gateway: number
  requestId: string
  invokedAt: MonotonicMs
  /** Session of the token that the request presents. */
  session?: string
  /** Digest of the refresh token that the request presents. */
  token?: string
  /** End of the presented access token's life. */
  tokenExpiresAt?: MonotonicMs
  /** Password that the request presents. */
  password?: string
  newPassword?: string
}

/** Values of the response. Without a status the client got none. */
export interface Completion {
  id: number
  completedAt: MonotonicMs
  status?: number
  /** Code of a problem+json body; absent where the body is none. */
  code?: string
  retryAfter?: string
  /** Session that the returned tokens are for. */
  returnedSession?: string
  /** Digest of the returned refresh token. */
  returnedToken?: string
  /** Address that the response names as its account. */
  returnedAccount?: string
}

export interface Operation extends Invocation, Completion {
  /**
   * Rejected (4xx) means that the request changed nothing. After a 5xx, or without a response, the
   * change may have happened, and may still happen: a paused process goes on later.
   */
  outcome: 'ok' | 'rejected' | 'unknown'
}

/** A fault that the nemesis made, and the gateways whose revocations it may delay. */
export interface Fault {
  name: string
  /** Parts that have one fault at a time. */
  part: 'gateways' | 'origins' | 'postgres' | 'redis' | 'machine'
  beganAt: MonotonicMs
  /** All of its servers work again. */
  endedAt: MonotonicMs
  /** Gateways that may not read the feed of revocations. */
  cutsFeed: readonly number[]
  /** Gateways that may not read the stream of revocations. */
  cutsStream: readonly number[]
}

/** A process of Gatehouse that ended without having been told to. */
export interface Crash {
  service: string
  at: MonotonicMs
  lastLines: string
}

/** Rows of the database at the end. */
export interface DatabaseState {
  /** Request id and action. */
  audits: [requestId: string, action: string][]
  sessions: { id: string; endReason: string | null; unspentTokens: number }[]
  /** Sessions that have a row in `revocations`. */
  revoked: string[]
}

export interface History {
  operations: readonly Operation[]
  faults: readonly Fault[]
  crashes: readonly Crash[]
  /** Accounts that could not log in, or be served, after all faults had ended. */
  unserved: readonly string[]
  /** Orders that reached the upstream, by request id. */
  deliveries: Readonly<Record<string, number>>
  database?: DatabaseState
}

export type HistoryEvent =
  | ({ event: 'invoked' } & Invocation)
  | ({ event: 'completed' } & Completion)
  | ({ event: 'fault' } & Fault)
  | ({ event: 'crashed' } & Crash)
  | { event: 'unserved'; accounts: string[] }
  | { event: 'deliveries'; counts: Record<string, number> }
  | ({ event: 'database' } & DatabaseState)

/** Joins events. An operation without a completion has an unknown outcome, and never completes. */
export function toHistory(events: Iterable<HistoryEvent>): History {
  const operations = new Map<number, Operation>()
  const faults: Fault[] = []
  const crashes: Crash[] = []
  let unserved: string[] = []
  let deliveries: Record<string, number> = {}
  let database: DatabaseState | undefined
  for (const { event, ...values } of events) {
    switch (event) {
      case 'invoked': {
        const invocation = values as Invocation
        const open = { completedAt: Number.POSITIVE_INFINITY, outcome: 'unknown' } as const
        operations.set(invocation.id, { ...invocation, ...open })
        break
      }
      case 'completed': {
        const completion = values as Completion
        const invocation = operations.get(completion.id)
        if (!invocation) throw new Error(`operation ${completion.id} was completed before it was invoked`)
        operations.set(completion.id, { ...invocation, ...completion, outcome: outcomeOf(completion.status) })
        break
      }
      case 'fault':
        faults.push(values as Fault)
        break
      case 'crashed':
        crashes.push(values as Crash)
        break
      case 'unserved':
        unserved = (values as { accounts: string[] }).accounts
        break
      case 'deliveries':
        deliveries = (values as { counts: Record<string, number> }).counts
        break
      case 'database':
        database = values as DatabaseState
    }
  }
  return {
    operations: [...operations.values()],
    faults,
    crashes,
    unserved,
    deliveries,
    ...(database && { database }),
  }
}

function outcomeOf(status: number | undefined): Operation['outcome'] {
  if (status === undefined || status >= 500) return 'unknown'
  return status >= 400 ? 'rejected' : 'ok'
}
