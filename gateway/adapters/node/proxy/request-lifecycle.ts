import type { Problem } from '../../../../shared/http/errors.ts'
import type { RawHeaders } from '../../../../shared/http/headers.ts'
import { requestIdFrom } from '../../../../shared/http/request-id.ts'
import { type LoggedRequest, logRequest, type MatchedRoute } from '../../../../shared/http/request-log.ts'
import { type BeginSpan, beginTrace, type RequestTrace } from '../../../../shared/http/tracing.ts'
import type { Awaitable } from '../../../../shared/lib/async.ts'
import type { Log } from '../../../../shared/lib/log.ts'
import type { Admission } from '../../../decision/admission.ts'
import type { Decide } from '../../../decision/decide.ts'
import { logProblem, toProblem } from '../../../decision/to-problem.ts'
import type { CommonHeaders } from '../../../http/common-headers.ts'
import type { RequestHeaders } from '../../../http/request-headers.ts'
import type { GatewayMetrics } from '../../../metrics.ts'
import type { ClientRequest } from './client-types.ts'

export interface LifecycleOptions {
  admit: Decide
  commonHeaders: CommonHeaders
  metrics: Pick<GatewayMetrics, 'recordResponse' | 'recordRejection'>
  beginSpan?: BeginSpan | undefined
  log: Log
}

/**
 * One request from its head to its end, on any transport: its identity in logs, traces and metrics,
 * and what is recorded of it.
 */
export class RequestLifecycle implements LoggedRequest {
  private readonly options: LifecycleOptions
  private readonly request: ClientRequest
  private readonly target: string
  private readonly method: string
  private readonly path: string
  /** As `performance.now()` has it. */
  private readonly startedAt = performance.now()
  /** Of the page that asked. */
  private origin: string | undefined
  private givenId: string | undefined
  private trace: RequestTrace | undefined
  private admission: Admission | undefined
  private rejectedAt: MatchedRoute | undefined

  /** @param path of its target, where the caller has it already */
  constructor(options: LifecycleOptions, request: ClientRequest, path = pathOf(request.url ?? '/')) {
    const { url: target = '/', method = 'GET' } = request
    this.options = options
    this.request = request
    this.target = target
    this.method = method
    this.path = path
  }

  /** A generated id where the head could not be read. */
  get requestId(): string {
    this.givenId ??= requestIdFrom(undefined)
    return this.givenId
  }

  get traceId(): string | undefined {
    return this.trace?.traceId
  }

  /** @throws Problem with the rejection, at once or later */
  admit(headers: RequestHeaders): Awaitable<Admission> {
    const { options, request, target, method } = this
    this.origin = headers.origin
    const requestId = requestIdFrom(headers.requestId)
    this.givenId = requestId
    const { traceparent, tracestate } = headers
    this.trace = beginTrace(options.beginSpan, { method, requestId, traceparent, tracestate })
    return options.admit({
      method,
      target,
      headers,
      requestId,
      peer: request.socket.remoteAddress,
      scheme: 'http',
      targetScheme: request.targetScheme,
      onward: this.trace.onward,
    })
  }

  /**
   * @returns whether to go on: false where the client left while its request was decided
   */
  enter(admission: Admission, hasLeft: boolean): boolean {
    if (hasLeft) admission.ended(499)
    else this.admission = admission
    return !hasLeft
  }

  /** The headers that every response has, names and values in turn. */
  commonHeaders(): RawHeaders {
    return this.options.commonHeaders(this.origin, this.requestId)
  }

  /** What an error is to the client. Log and metrics are told. */
  problemOf(error: unknown): Problem {
    const { metrics, log } = this.options
    const problem = toProblem(error)
    this.rejectedAt = problem.route
    metrics.recordRejection(problem)
    logProblem(log, problem, this)
    return problem
  }

  /**
   * To be called once, when nothing more is written.
   * @param status of the response, as the client got it; 499 where it left before
   */
  ended(status: number): void {
    const { admission, requestId, traceId, method, path, startedAt } = this
    const { metrics, log } = this.options
    admission?.ended(status)
    const route = admission?.decision.route ?? this.rejectedAt
    const seconds = logRequest(log, { requestId, traceId, method, path, status, startedAt })
    metrics.recordResponse(route, status, seconds)
    this.trace?.end?.({ route: route?.path, status })
  }
}

export function pathOf(target: string): string {
  const queryAt = target.indexOf('?')
  return queryAt === -1 ? target : target.slice(0, queryAt)
}
