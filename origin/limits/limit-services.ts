import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { matchedRoutes } from 'hono/route'
import { overLimitProblem } from '../../shared/http/over-limit.ts'
import type { ServiceEnv } from '../oauth/tokens/require-service.ts'
import type { RecordRejection } from './rejection-log.ts'
import type { CountedRequest, WindowCounter } from './window-counter.ts'

export interface ServiceLimit {
  limit: Pick<WindowCounter, 'name' | 'countRequest'>
  recordRejection: RecordRejection
}

/** Counts a request of a service, by its client. */
export type CountServiceRequest = (
  clientId: string,
  request: { method: string; route: string },
) => Promise<CountedRequest>

/** @throws Problem `rate_limited` */
export function createServiceLimit({ limit, recordRejection }: ServiceLimit): CountServiceRequest {
  return async function countServiceRequest(clientId, request) {
    const counted = await limit.countRequest(clientId)
    if (!counted.overLimit) return counted
    recordRejection({ limit: limit.name, key: clientId, ...request })
    throw overLimitProblem(counted.overLimit)
  }
}

/**
 * Limits the requests that services make with their own token. Each response says how many are
 * left.
 *
 * @throws Problem `rate_limited`
 */
export function limitServices(countServiceRequest: CountServiceRequest) {
  return createMiddleware<ServiceEnv>(async function limitServices(c, next) {
    const { headers } = await countServiceRequest(c.get('service').clientId, matchedRoute(c))
    await next()
    for (const [name, value] of Object.entries(headers)) c.header(name, value)
  })
}

/** Middleware is registered for all methods, and routes are for one. */
function matchedRoute(c: Context): { method: string; route: string } {
  const route = matchedRoutes(c).findLast(({ method }) => method !== 'ALL')
  return { method: c.req.method, route: route?.path ?? '/internal/*' }
}
