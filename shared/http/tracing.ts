import { readTraceparent, type TraceHeaders } from './trace-context.ts'

/** Request data for a new span. */
export interface TracedRequest extends TraceHeaders {
  method: string
  requestId: string
}

/** How a request ended. */
export interface TracedResponse {
  /** The pattern that matched; undefined where none did. */
  route: string | undefined
  status: number
}

/** The span of one request, recorded or not. */
export interface RequestSpan {
  traceId: string
  /** Trace headers for outgoing requests. */
  outgoingTrace: { traceparent: string; tracestate?: string | undefined }
  end: (response: TracedResponse) => void
}

/** Begins spans, where they are collected. */
export type BeginSpan = (request: TracedRequest) => RequestSpan

/** The trace of a request: from a recorded span, from the caller, or none. */
export type RequestTrace = Partial<RequestSpan>

export function beginTrace(beginSpan: BeginSpan | undefined, request: TracedRequest): RequestTrace {
  if (beginSpan) return beginSpan(request)
  const caller = readTraceparent(request.traceparent)
  return caller ? { traceId: caller.traceId } : noTrace
}

const noTrace: RequestTrace = {}
