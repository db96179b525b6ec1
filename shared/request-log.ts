import { createMiddleware } from 'hono/factory'
import { requestIdHeader } from './headers.ts'
import type { Log } from './log.ts'
import { requestIdFrom } from './request-id.ts'

export interface RequestLogEnv {
  Variables: { requestId: string }
}

/** A request that was answered. */
export interface AnsweredRequest {
  requestId: string
  method: string
  /** Without its query, which may carry what is not for logs. */
  path: string
  status: number
  /** As `performance.now()` has it. */
  startedAt: number
}

/** One line a request. */
export function logRequest(
  log: Log,
  { requestId, method, path, status, startedAt }: AnsweredRequest,
  level: 'info' | 'debug' = 'info',
): void {
  const durationMs = Math.round((performance.now() - startedAt) * 10) / 10
  log[level]({ request_id: requestId, method, path, status, duration_ms: durationMs }, 'request')
}

/**
 * Gives each request its id, in and out, and a log line when it is answered.
 *
 * @param isRoutine whether a path is asked again and again by our own services, so that its successes are lines for debugging alone
 */
export function requestLog(log: Log, isRoutine: (path: string) => boolean = () => false) {
  return createMiddleware<RequestLogEnv>(async function requestLog(c, next) {
    const requestId = requestIdFrom(c.req.header(requestIdHeader))
    c.set('requestId', requestId)
    const startedAt = performance.now()
    await next()
    c.res.headers.set(requestIdHeader, requestId)
    const { method, path } = c.req
    const { status, ok } = c.res
    logRequest(log, { requestId, method, path, status, startedAt }, isRoutine(path) && ok ? 'debug' : 'info')
  })
}
