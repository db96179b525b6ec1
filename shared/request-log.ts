import { createMiddleware } from 'hono/factory'
import { requestIdHeader } from './headers.ts'
import type { Log } from './log.ts'
import { requestIdFrom } from './request-id.ts'

export interface RequestLogEnv {
  Variables: { requestId: string }
}

/**
 * Gives each request its id, in and out, and a log line when it is answered. The path is logged without its query, which may
 * carry what is not for logs.
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
    const level = isRoutine(c.req.path) && c.res.ok ? 'debug' : 'info'
    log[level](
      {
        request_id: requestId,
        method: c.req.method,
        path: c.req.path,
        status: c.res.status,
        duration_ms: Math.round((performance.now() - startedAt) * 10) / 10,
      },
      'request',
    )
  })
}
