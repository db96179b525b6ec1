import type { Revocation } from '../shared/revocation.ts'

/** What the gateway needs of the runtime it stands on. Each adapter hands these in; the core never asks where it runs. */

/** Milliseconds since 1970. */
export type Now = () => number

export interface Count {
  /** Requests counted in this window, this one among them. */
  used: number
  /** Milliseconds until the window ends. */
  resetMs: number
  /** Whether all gateways share this counter; a local one sees only its own share of the traffic. */
  shared: boolean
}

/** Counts in fixed windows that begin with a key's first request. */
export interface Counter {
  /** @throws Error where the store cannot be asked */
  add(key: string, windowSeconds: number): Promise<Count>
}

/** The news of revocations, in the order they were published in. Each method throws an Error where the store cannot be asked. */
export interface RevocationStream {
  /** Where the stream ends at this moment. */
  position(): Promise<string>
  /** What came after a position, as soon as there is something; after a while nothing, so that a lost store is noticed. */
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
