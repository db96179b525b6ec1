import type { RawHeaders } from '../../shared/http/headers.ts'
import type { HeldResources } from '../../shared/http/request-lifecycle.ts'
import type { OverLimitSlot } from '../rate-limit/over-limit.ts'
import type { DecisionContext } from './decision-context.ts'
import type { Concurrency } from './upstream-concurrency.ts'

interface AdmissionOptions {
  decision: DecisionContext
  baseUrl: string
  headers: RawHeaders
  /** Set where the request is over its limits. */
  overLimitSlot: OverLimitSlot | undefined
  concurrency: Concurrency
}

/**
 * An admitted request. The runtime that forwards it calls each method once; `release` gives back
 * all that an earlier call has not. A class, so that a request makes no closures.
 */
export class Admission implements HeldResources {
  readonly decision: DecisionContext
  /** The base URL of the upstream: `http://10.0.0.7:8081`. */
  readonly baseUrl: string
  /** The headers that go upstream, names and values in turn. */
  readonly headers: RawHeaders
  /** Bounds its body and its wait for a slot of its address, where the request is over limits. */
  readonly overLimitSlot: OverLimitSlot | undefined
  private readonly concurrency: Concurrency
  private isAtUpstream = false

  constructor({ decision, baseUrl, headers, overLimitSlot, concurrency }: AdmissionOptions) {
    this.decision = decision
    this.baseUrl = baseUrl
    this.headers = headers
    this.overLimitSlot = overLimitSlot
    this.concurrency = concurrency
  }

  /**
   * Called when the request goes upstream: after its body, where the body is gathered. A client
   * that sends its body slowly holds no slot.
   *
   * @throws Problem `overloaded` where the upstream has no slot left
   */
  enterUpstream(): void {
    this.concurrency.enter(this.decision.row.upstream)
    this.isAtUpstream = true
  }

  /**
   * Called with the head of the upstream's response. A client that reads slowly holds no slot of
   * its address.
   *
   * @param raw names and values in turn
   */
  onResponseHead(raw: Readonly<RawHeaders>): void {
    this.overLimitSlot?.release()
    this.decision.settleCosts?.(raw)
  }

  /**
   * Called when the upstream's response has ended or was aborted, however much of it the client has
   * read.
   */
  leaveUpstream(): void {
    this.overLimitSlot?.release()
    if (!this.isAtUpstream) return
    this.isAtUpstream = false
    this.concurrency.leave(this.decision.row.upstream)
  }

  /** @param status of the response, as the client gets it */
  release(status: number): void {
    this.leaveUpstream()
    this.decision.onResponseStatus?.(status)
  }
}
