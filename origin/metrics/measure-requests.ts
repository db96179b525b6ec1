import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { matchedRoutes } from 'hono/route'
import type { AnsweredRequest } from './events.ts'

/** Tells of each request that was answered, by the route that stands in the code. */
export function measureRequests(onAnswered: (request: AnsweredRequest) => void) {
  return createMiddleware(async function measureRequests(c, next) {
    const startedAt = performance.now()
    await next()
    const seconds = (performance.now() - startedAt) / 1000
    onAnswered({ ...routeOf(c), status: c.res.status, seconds })
  })
}

/** Middleware is registered for all methods, and routes are for one. */
function routeOf(c: Context): Pick<AnsweredRequest, 'method' | 'route'> {
  const matched = matchedRoutes(c).findLast(({ method }) => method !== 'ALL')
  return matched ? { method: matched.method, route: matched.path } : { method: 'any', route: 'none' }
}
