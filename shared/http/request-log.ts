import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { matchedRoutes } from 'hono/route'
import type { Log } from '../lib/log.ts'
import { requestIdHeader } from './headers.ts'
import { type LifecycleOptions, type MatchedRoute, RequestLifecycle } from './request-lifecycle.ts'

export interface RequestLogEnv {
  Variables: {
    requestId: string
    lifecycle: RequestLifecycle
  }
}

export interface RequestLogOptions extends Omit<LifecycleOptions, 'log'> {
  /**
   * Whether a path is requested again and again by our own services, so that its successes are
   * lines for debugging alone.
   */
  isRoutine?: (path: string) => boolean
}

/** Begins and ends the lifecycle of each request of an app, and tells the client its request id. */
export function requestLog(log: Log, { isRoutine = () => false, ...rest }: RequestLogOptions = {}) {
  const options = { log, ...rest }

  return createMiddleware<RequestLogEnv>(async function requestLog(c, next) {
    const { method, path } = c.req
    const lifecycle = new RequestLifecycle(options, method, path)
    lifecycle.begin({
      requestId: c.req.header(requestIdHeader),
      traceparent: c.req.header('traceparent'),
      tracestate: c.req.header('tracestate'),
    })
    c.set('lifecycle', lifecycle)
    c.set('requestId', lifecycle.requestId)
    await next()
    c.res.headers.set(requestIdHeader, lifecycle.requestId)
    lifecycle.route ??= ownRoute(c)
    const { status, ok } = c.res
    lifecycle.end(status, isRoutine(path) && ok ? 'debug' : 'info')
  })
}

/** Middleware is registered for all methods, and routes are for one. */
const ownRoute = (c: Context): MatchedRoute | undefined =>
  matchedRoutes(c).findLast(({ method }) => method !== 'ALL')
