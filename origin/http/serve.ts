import type { Context, Hono, MiddlewareHandler, TypedResponse } from 'hono'
import * as z from 'zod'
import {
  type Endpoint,
  type EndpointInput,
  type ResponseBody,
  successOf,
} from '../../shared/endpoint/endpoint.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { Awaitable } from '../../shared/lib/async.ts'
import { jsonBody } from './json-body.ts'
import { queryParameters } from './query-parameters.ts'
import type { OriginEnv } from './request-context.ts'

/** A response that the contract of its endpoint allows. */
export type Reply<E extends Endpoint> = Response & TypedResponse<ResponseBody<E>>

/** A validated request, and the function that responds to it. */
export interface EndpointCall<E extends Endpoint> extends EndpointInput<E> {
  /** Accepts exactly the members of the contract. */
  respond: (...body: undefined extends ResponseBody<E> ? [] : [body: ResponseBody<E>]) => Reply<E>
}

type EndpointHandler<Env extends OriginEnv, E extends Endpoint> = (
  call: EndpointCall<E>,
  c: Context<Env>,
) => Awaitable<Reply<E>>

/**
 * Registers the route of a contract: its method and path, the validation of requests, and the
 * status of success.
 *
 * @param guard runs before the validation, so that unauthorized callers see no validation errors
 * @throws Problem `unsupported_media_type`, `malformed_json`, `validation_failed`, `query_invalid`;
 *   `not_found` for an invalid path parameter
 */
export function serve<Env extends OriginEnv, E extends Endpoint>(
  routes: Hono<Env>,
  endpoint: E,
  guard: MiddlewareHandler<Env>,
  handler: EndpointHandler<Env, E>,
): void
export function serve<Env extends OriginEnv, E extends Endpoint>(
  routes: Hono<Env>,
  endpoint: E,
  handler: EndpointHandler<Env, E>,
): void
export function serve<Env extends OriginEnv, E extends Endpoint>(
  routes: Hono<Env>,
  endpoint: E,
  ...handlers:
    | [guard: MiddlewareHandler<Env>, handler: EndpointHandler<Env, E>]
    | [handler: EndpointHandler<Env, E>]
): void {
  const { method, path, params = {}, query, body, responses } = endpoint
  const [handler, guard] = handlers.length === 2 ? [handlers[1], handlers[0]] : handlers
  const [status, { schema, mediaType }] = successOf({ responses })
  const pathParameters = z.looseObject(params)

  const respond = (c: Context, content: unknown): Response =>
    schema
      ? c.json(content, status as 200, mediaType === undefined ? {} : { 'content-type': mediaType })
      : c.body(null, status)

  async function serveEndpoint(c: Context<Env>) {
    const found = pathParameters.safeParse(c.req.param())
    if (!found.success) throw new Problem('not_found')
    const valid = (part: 'json' | 'query') => c.req.valid(part as never)
    const call = {
      params: found.data,
      query: valid('query'),
      body: valid('json'),
      respond: (content?: unknown) => respond(c, content),
    }
    return handler(call as unknown as EndpointCall<E>, c)
  }

  const middleware = [
    ...(guard ? [guard] : []),
    ...(query ? [queryParameters(z.strictObject(query), 'cursor' in query ? 'list' : 'path')] : []),
    ...(body ? jsonBody(body) : []),
  ] as MiddlewareHandler<Env>[]
  routes.on(method, [path.replaceAll(/\{([a-z_]+)\}/g, ':$1')], ...middleware, serveEndpoint)
}
