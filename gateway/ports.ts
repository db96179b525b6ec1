import type { Identity } from '../shared/auth/claims.ts'
import type { Revocation } from '../shared/auth/revocation.ts'

/**
 * What the gateway needs of the runtime it stands on. Each adapter hands these in; the core never
 * asks where it runs.
 */

/** The facts about a request's connection that the server of a runtime knows. */
export interface Peer {
  /** Remote address of the socket. */
  address: string | undefined
}

/** Milliseconds since 1970. */
export type Now = () => number

/** Runs something when what is at hand in this turn of the event loop is done. */
export type Defer = (run: () => void) => void

/** Tokens to consume from one window of one key. */
export interface ConsumeRequest {
  key: string
  windowSeconds: number
  /** Tokens in one window. */
  quota: number
  /** Tokens to consume; negative to refund. */
  tokens: number
  /** For a refund: whether the tokens came from the shared store. */
  shared?: boolean | undefined
  /**
   * What applies while the shared store is unavailable: this gateway's share of the quota, or less
   * than that.
   */
  outage: 'share' | 'strict'
}

export interface ConsumeResult {
  /** Tokens granted, from 0 to those requested. */
  granted: number
  /** Tokens consumed in this window so far. */
  used: number
  /**
   * The quota that applied: less than that of the request where the store is not shared.
   */
  quota: number
  /** Milliseconds until the window ends. */
  resetMs: number
  /**
   * Whether all gateways share this store; a local one sees only its own share of the traffic.
   */
  shared: boolean
}

/**
 * Grants tokens in fixed windows that begin with a key's first token. A refused request consumes
 * nothing.
 */
export interface RateLimitStore {
  /**
   * All at once, in order.
   *
   * @throws Error where the store cannot be asked
   */
  consume(requests: readonly ConsumeRequest[]): Promise<ConsumeResult[]>
}

/**
 * Told of work that goes on when the request that it began in is answered: some runtimes drop it
 * then, unless they are told.
 */
export type WaitUntil = (work: Promise<unknown>) => void

export type StoreResult =
  | { kind: 'consumed'; results: ConsumeResult[] }
  | { kind: 'revoked'; scope: Revocation['scope'] }
  /** Nobody vouches for what the store knows of revocations. */
  | { kind: 'incomplete' }

/**
 * For a runtime that keeps nothing between requests: what one of them has to know, in one round
 * trip.
 */
export interface Store {
  /**
   * Holds a token against what was revoked and, where it is good, grants all tokens as a rate-limit
   * store does. In every other case none is consumed.
   *
   * @param bearer what the token says; undefined where nothing is to be held against anything
   * @throws Error where the store cannot be asked
   */
  ask(bearer: Identity | undefined, requests: readonly ConsumeRequest[]): Promise<StoreResult>
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
  baseUrl: string
  /** Path and query, exactly as they were matched. */
  target: string
  method: string
  headers: Headers
  body: ReadableStream<Uint8Array> | Uint8Array | null
  /** Aborted when the client leaves. */
  signal: AbortSignal
  /** Time for the response's head. */
  deadlineMs: number
  /** The longest silence inside the response's body. */
  idleMs: number
  /** Whether the request needs a connection that no other has used, where a runtime can be told. */
  isFresh: boolean
}

/** Carries a request and streams its response; never decodes, follows or retries anything. */
export type Transport = (request: UpstreamRequest) => Promise<Response>

/** Why a transport brought no response. */
export class TransportError extends Error {
  readonly reason: 'unreachable' | 'timeout' | 'client_left'

  constructor(reason: TransportError['reason'], cause: unknown) {
    super(reason, { cause })
    this.name = 'TransportError'
    this.reason = reason
  }
}
