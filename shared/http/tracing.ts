import { readTraceparent, type TraceHeaders } from './trace-context.ts'

/** A request as a span begins with it. */
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
  /** What goes to whoever is asked in turn. */
  onward: { traceparent: string; tracestate?: string | undefined }
  end: (response: TracedResponse) => void
}

/** Begins spans, where somebody collects them. */
export type BeginSpan = (request: TracedRequest) => RequestSpan

/** The trace that a request belongs to: by a span of ours, by what the caller says, or none. */
export type RequestTrace = Partial<RequestSpan>

export function beginTrace(beginSpan: BeginSpan | undefined, request: TracedRequest): RequestTrace {
  if (beginSpan) return beginSpan(request)
  const caller = readTraceparent(request.traceparent)
  return caller ? { traceId: caller.traceId } : noTrace
}

const noTrace: RequestTrace = {}
