import type { Log } from '../lib/log.ts'
import { requestIdFrom } from './request-id.ts'
import type { TraceHeaders } from './trace-context.ts'
import { type BeginSpan, beginTrace, type RequestSpan, type RequestTrace } from './tracing.ts'

/** The pattern that answered a request, as it stands in the code or in the policy table. */
export interface MatchedRoute {
  method: string
  path: string
}

/** The ids that all log lines of one request have in common. */
export interface LoggedRequest {
  requestId: string
  traceId: string | undefined
}

export interface LifecycleOptions {
  log: Log
  /** Begins a span for each request, where spans are collected. */
  beginSpan?: BeginSpan | undefined
  /** Called for each request. @param route undefined where none matched */
  onResponse?: ((route: MatchedRoute | undefined, status: number, seconds: number) => void) | undefined
}

/** Resources that a request holds until it ends: tokens of its limits, a slot at its upstream. */
export interface HeldResources {
  /** @param status of the response; 499 where the client left before it */
  release(status: number): void
}

/**
 * One request from its head to its end, on any transport: its id, its trace, its line in the log
 * and its metrics. A class, so that a request makes no closures.
 */
export class RequestLifecycle implements LoggedRequest {
  readonly method: string
  /** Without the query, which may carry secrets. */
  readonly path: string
  /** The row or the pattern that matched. */
  route: MatchedRoute | undefined = undefined
  /** Released when the request ends. */
  held: HeldResources | undefined = undefined
  private readonly options: LifecycleOptions
  /** As `performance.now()` has it. */
  private readonly startedAt = performance.now()
  private givenId: string | undefined = undefined
  private trace: RequestTrace | undefined = undefined

  constructor(options: LifecycleOptions, method: string, path: string) {
    this.options = options
    this.method = method
    this.path = path
  }

  /** Called once the head is read. */
  begin(given: { requestId: string | undefined } & TraceHeaders): void {
    const requestId = requestIdFrom(given.requestId)
    this.givenId = requestId
    const { traceparent, tracestate } = given
    this.trace = beginTrace(this.options.beginSpan, {
      method: this.method,
      requestId,
      traceparent,
      tracestate,
    })
  }

  /** A generated id where the head could not be read. */
  get requestId(): string {
    this.givenId ??= requestIdFrom(undefined)
    return this.givenId
  }

  get traceId(): string | undefined {
    return this.trace?.traceId
  }

  /** Trace headers for outgoing requests, if a span is recorded. */
  get outgoingTrace(): RequestSpan['outgoingTrace'] | undefined {
    return this.trace?.outgoingTrace
  }

  /**
   * Called once, when nothing more is written.
   *
   * @param status of the response; 499 where the client left before it
   */
  end(status: number, level: 'info' | 'debug' = 'info'): void {
    this.held?.release(status)
    const { options, route, requestId, traceId, method, path } = this
    const tookMs = performance.now() - this.startedAt
    const durationMs = Math.round(tookMs * 10) / 10
    options.log[level](
      { request_id: requestId, trace_id: traceId, method, path, status, duration_ms: durationMs },
      'request',
    )
    options.onResponse?.(route, status, tookMs / 1000)
    this.trace?.end?.({ route: route?.path, status })
  }
}
