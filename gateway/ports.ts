import type { Identity } from '../shared/auth/claims.ts'
import type { Revocation } from '../shared/auth/revocation.ts'

/**
 * Ports: the functions and types that a runtime gives the gateway. The core never asks which
 * runtime it runs on.
 */

/** The facts about a request's connection that the server of a runtime knows. */
export interface Peer {
  /** Remote address of the socket. */
  address: string | undefined
}

export type { Now } from '../shared/lib/time.ts'

/** Runs a function once the work of this turn of the event loop is done. */
export type Defer = (run: () => void) => void

/** Tokens to consume from one window of one key. */
export interface ConsumeRequest {
  key: string
  windowSeconds: number
  /** Whether the window slides; otherwise it begins with the key's first token. */
  isSliding?: boolean | undefined
  /** Set for a window of the calendar, whose key names its period: milliseconds until its end. */
  endsInMs?: number | undefined
  /** Tokens in one window. */
  quota: number
  /** Tokens to consume; negative to refund. */
  tokens: number
  /** Tokens of one request, which are granted together or not at all; by default 1. */
  cost?: number | undefined
  /** For a refund, or for a cost that a response has raised: the store that granted the tokens. */
  grantedBy?: 'shared' | 'local' | undefined
  /**
   * While the shared store is unavailable: this gateway's share of the quota, half of it, all
   * requests, or none.
   */
  withoutStore: 'share' | 'half_share' | 'open' | 'closed'
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
  /**
   * Milliseconds until the window ends, or until a sliding one that is used up has tokens again.
   */
  resetMs: number
  /**
   * Milliseconds in which a refund finds the bucket that its tokens came from; by default
   * `resetMs`.
   */
  bucketMs?: number | undefined
  /**
   * Whether all gateways share this store; a local one sees only its own share of the traffic.
   */
  shared: boolean
  /** Whether nothing is granted because the shared store is unavailable. */
  isUnavailable?: boolean | undefined
}

/** Grants tokens of windows. A rejected request consumes nothing. */
export interface RateLimitStore {
  /**
   * Consumes all at once. Results are in the order of the requests.
   *
   * @throws Error where the store cannot be reached
   */
  consume(requests: readonly ConsumeRequest[]): Promise<ConsumeResult[]>
}

/** Keeps the runtime alive for work that outlives the response (`waitUntil` on Workers). */
export type WaitUntil = (work: Promise<unknown>) => void

export type StoreResult =
  | { kind: 'consumed'; results: ConsumeResult[] }
  | { kind: 'revoked'; scope: Revocation['scope'] }
  /** The revocations in the store may be incomplete. */
  | { kind: 'incomplete' }

/**
 * Revocations and limits of one request in one round trip, for a runtime that keeps no memory
 * between requests.
 */
export interface LimitAndRevocationStore {
  /**
   * Compares an access token with the revocations and, if it is good, consumes rate-limit tokens as
   * a rate-limit store does. In every other case it consumes none.
   *
   * @param identity the claims of the access token; undefined where there is none to compare
   * @throws Error where the store cannot be reached
   */
  consumeUnlessRevoked(
    identity: Identity | undefined,
    requests: readonly ConsumeRequest[],
  ): Promise<StoreResult>
}

export interface StreamPosition {
  position: string
  /**
   * Whether an origin publishes to this stream. An empty stream alone does not tell.
   */
  hasPublisher: boolean
}

/**
 * The stream of revocations, in the order of their publication. Each method throws an Error where
 * the store cannot be reached.
 */
export interface RevocationStream {
  /** The current end of the stream. */
  position(): Promise<StreamPosition>
  /**
   * Entries after a position, as soon as there are some; none after a while, so that a lost store
   * is noticed.
   */
  read(from: string): Promise<StreamPosition & { entries: Revocation[] }>
  /** Makes a waiting read fail. */
  close(): void
}

export interface UpstreamRequest {
  /** Base URL of the upstream, without a path: `http://10.0.0.7:8081`. */
  baseUrl: string
  /** Path and query, exactly as they were matched. */
  target: string
  method: string
  headers: Headers
  body: ReadableStream<Uint8Array> | Uint8Array | null
  /** Aborted when the client leaves. */
  signal: AbortSignal
  /** Milliseconds until the response's head. */
  deadlineMs: number
  /** Milliseconds of silence after which the response's body is aborted. */
  idleMs: number
  /** Whether the request needs a new connection, where the runtime lets us choose. */
  isFresh: boolean
}

/** Sends a request and streams its response. It never decodes, follows a redirect or retries. */
export type Transport = (request: UpstreamRequest) => Promise<Response>

/** A request without a response, and the reason. */
export class TransportError extends Error {
  readonly reason: 'unreachable' | 'timeout' | 'client_left'

  constructor(reason: TransportError['reason'], cause: unknown) {
    super(reason, { cause })
    this.name = 'TransportError'
    this.reason = reason
  }
}
