import type { Identity } from '../shared/auth/claims.ts'
import type { Revocation } from '../shared/auth/revocation.ts'

/**
 * What the gateway needs of the runtime it stands on. Each adapter hands these in; the core never
 * asks where it runs.
 */

/** Milliseconds since 1970. */
export type Now = () => number

/** Runs something when what is at hand in this turn of the event loop is done. */
export type NextTurn = (run: () => void) => void

/** What somebody wants of one window of one key. */
export interface Take {
  key: string
  windowSeconds: number
  /** Permits in one window. */
  quota: number
  /** Permits wanted; negative where they are given back. */
  permits: number
  /** Of permits given back: whether it was the shared counter that gave them. */
  shared?: boolean
  /**
   * What holds while the shared counter is away: this gateway's share of the quota, or less than
   * that.
   */
  outage: 'share' | 'strict'
}

export interface Taken {
  /** Permits given, from none to those wanted. */
  granted: number
  /** Permits given out in this window up to now. */
  used: number
  /**
   * The quota that they were held against: less than that of the take where the counter is not
   * shared.
   */
  quota: number
  /** Milliseconds until the window ends. */
  resetMs: number
  /**
   * Whether all gateways share this counter; a local one sees only its own share of the traffic.
   */
  shared: boolean
}

/**
 * Gives permits out in fixed windows that begin with a key's first permit. What was refused uses
 * nothing up.
 */
export interface Counter {
  /**
   * All at once, in order.
   *
   * @throws Error where the store cannot be asked
   */
  take(takes: readonly Take[]): Promise<Taken[]>
}

/**
 * Told of work that goes on when the request that it began in is answered: some runtimes drop it
 * then, unless they are told.
 */
export type Outlive = (work: Promise<unknown>) => void

export type StoreAnswer =
  | { kind: 'taken'; taken: Taken[] }
  | { kind: 'revoked'; scope: Revocation['scope'] }
  /** Nobody vouches for what the store knows of revocations. */
  | { kind: 'unvouched' }

/**
 * For a runtime that keeps nothing between requests: what one of them has to know, in one round
 * trip.
 */
export interface Store {
  /**
   * Holds a token against what was revoked and, where it is good, gives out all permits as a
   * counter does. In every other case none is taken.
   *
   * @param bearer what the token says; undefined where nothing is to be held against anything
   * @throws Error where the store cannot be asked
   */
  ask(bearer: Identity | undefined, takes: readonly Take[]): Promise<StoreAnswer>
}

/**
 * The news of revocations, in the order they were published in. Each method throws an Error where
 * the store cannot be asked.
 */
export interface RevocationStream {
  /** Where the stream ends at this moment. */
  position(): Promise<string>
  /**
   * What came after a position, as soon as there is something; after a while nothing, so that a
   * lost store is noticed.
   */
  read(from: string): Promise<{ entries: Revocation[]; position: string }>
  /** A read that waits fails. */
  close(): void
}

export interface UpstreamRequest {
  /** Where the upstream stands, without a path: `http://10.0.0.7:8081`. */
  origin: string
  /** Path and query, exactly as they were matched. */
  target: string
  method: string
  headers: Headers
  body: ReadableStream<Uint8Array> | Uint8Array | null
  /** Aborted when the client leaves. */
  signal: AbortSignal
  /** Time for the answer's head. */
  deadlineMs: number
  /** The longest silence inside the response's body. */
  idleMs: number
  /** Whether the request needs a connection that no other has used, where a runtime can be told. */
  isFresh: boolean
}

/** Carries a request and streams its answer; never decodes, follows or retries anything. */
export type Transport = (request: UpstreamRequest) => Promise<Response>

/** Why a transport brought no answer. */
export class TransportError extends Error {
  readonly reason: 'unreachable' | 'timeout' | 'client_left'

  constructor(reason: TransportError['reason'], cause: unknown) {
    super(reason, { cause })
    this.name = 'TransportError'
    this.reason = reason
  }
}
