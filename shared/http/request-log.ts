import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { matchedRoutes } from 'hono/route'
import type { Log } from '../lib/log.ts'
import { requestIdHeader } from './headers.ts'
import { requestIdFrom } from './request-id.ts'
import { type BeginSpan, beginTrace, type RequestSpan } from './tracing.ts'

/** Where a request was answered, by the pattern that stands in the code or in the policy table. */
export interface MatchedRoute {
  method: string
  path: string
}

export interface RequestLogEnv {
  Variables: {
    requestId: string
    /** Where the request belongs to a trace. */
    traceId: string | undefined
    /** What goes to whoever is asked in turn, where a span of ours is recorded. */
    onward: RequestSpan['onward'] | undefined
    /** The row that matched, where it is not one of the app's own routes. */
    route: MatchedRoute | undefined
  }
}

/** What the lines of one request have in common. */
export interface LoggedRequest {
  requestId: string
  traceId: string | undefined
}

/** A request that was answered. */
export interface CompletedRequest extends LoggedRequest {
  method: string
  /** Without its query, which may carry what is not for logs. */
  path: string
  status: number
  /** As `performance.now()` has it. */
  startedAt: number
}

/** One line a request. @returns the seconds that it took */
export function logRequest(
  log: Log,
  { requestId, traceId, method, path, status, startedAt }: CompletedRequest,
  level: 'info' | 'debug' = 'info',
): number {
  const tookMs = performance.now() - startedAt
  const durationMs = Math.round(tookMs * 10) / 10
  log[level](
    { request_id: requestId, trace_id: traceId, method, path, status, duration_ms: durationMs },
    'request',
  )
  return tookMs / 1000
}

export interface RequestLogOptions {
  /**
   * Whether a path is asked again and again by our own services, so that its successes are lines
   * for debugging alone.
   */
  isRoutine?: (path: string) => boolean
  beginSpan?: BeginSpan | undefined
  /** Told of each request. @param route undefined where none matched */
  onResponse?: (route: MatchedRoute | undefined, status: number, seconds: number) => void
}

/**
 * Gives each request its id, in and out, its place in a trace, and a log line when it is answered.
 */
export function requestLog(log: Log, options: RequestLogOptions = {}) {
  const { isRoutine = () => false, beginSpan, onResponse = () => {} } = options

  return createMiddleware<RequestLogEnv>(async function requestLog(c, next) {
    const { method, path } = c.req
    const requestId = requestIdFrom(c.req.header(requestIdHeader))
    const { traceId, onward, end } = beginTrace(beginSpan, {
      method,
      requestId,
      traceparent: c.req.header('traceparent'),
      tracestate: c.req.header('tracestate'),
    })
    c.set('requestId', requestId)
    c.set('traceId', traceId)
    c.set('onward', onward)
    const startedAt = performance.now()
    await next()
    c.res.headers.set(requestIdHeader, requestId)
    const { status, ok } = c.res
    const route = c.get('route') ?? ownRoute(c)
    const level = isRoutine(path) && ok ? 'debug' : 'info'
    const seconds = logRequest(log, { requestId, traceId, method, path, status, startedAt }, level)
    onResponse(route, status, seconds)
    end?.({ route: route?.path, status })
  })
}

/** Middleware is registered for all methods, and routes are for one. */
const ownRoute = (c: Context): MatchedRoute | undefined =>
  matchedRoutes(c).findLast(({ method }) => method !== 'ALL')
