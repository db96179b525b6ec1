import type { Context, Hono } from 'hono'
import type { Scope } from '../../../shared/contract/oauth/scopes.ts'
import type { Endpoint } from '../../../shared/endpoint/endpoint.ts'
import type { Awaitable } from '../../../shared/lib/async.ts'
import { type EndpointCall, type Reply, serve } from '../../http/serve.ts'
import { requireScope, type ServiceEnv } from './require-service.ts'

/** As `serve`, for services whose token has the scope that the contract names. */
export function serveService<E extends Endpoint & { scope: Scope }>(
  routes: Hono<ServiceEnv>,
  endpoint: E,
  handler: (call: EndpointCall<E>, c: Context<ServiceEnv>) => Awaitable<Reply<E>>,
): void {
  serve(routes, endpoint, requireScope(endpoint.scope), handler)
}
