import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { RawHeaders } from '../../shared/http/headers.ts'
import type { MatchedRoute } from '../../shared/http/request-lifecycle.ts'
import type { RequestLogEnv } from '../../shared/http/request-log.ts'
import type { CompiledRow } from '../policy/policy.ts'
import type { CommonHeaders } from './common-headers.ts'

interface CorsOptions {
  commonHeaders: Pick<CommonHeaders, 'grantsOf'>
  /** The row that a request would match; undefined where it matches none. */
  findRow: (method: string, url: string) => CompiledRow | undefined
}

/**
 * Answers preflights, and lets pages of the allowed origins read responses, errors too (Fetch,
 * section 3.3).
 */
export function cors({ commonHeaders, findRow }: CorsOptions) {
  function grant(c: Context, route: MatchedRoute | undefined): boolean {
    const origin = c.req.header('origin') ?? ''
    const grants = commonHeaders.grantsOf(route)
    c.header('vary', 'Origin', { append: true })
    if (!grants.allows(origin)) return false
    addHeaders(c, grants.headersOf(origin))
    return true
  }

  function respondToPreflight(c: Context, method: string): Response {
    const row = findRow(method, c.req.url)
    const requested = c.req.header('access-control-request-headers')
    if (grant(c, row)) addHeaders(c, commonHeaders.grantsOf(row).preflightHeaders(requested))
    c.header('vary', 'Access-Control-Request-Headers', { append: true })
    return c.body(null, 204)
  }

  return createMiddleware<RequestLogEnv>(async function cors(c, next) {
    const method = preflightMethod(c)
    if (method !== undefined) return respondToPreflight(c, method)
    await next()
    grant(c, c.get('lifecycle').route)
    return undefined
  })
}

function addHeaders(c: Context, headers: Readonly<RawHeaders>): void {
  for (let i = 0; i < headers.length; i += 2) c.header(headers[i] as string, headers[i + 1])
}

/** The method that a preflight asks for. Other OPTIONS requests are routed like any request. */
const preflightMethod = ({ req }: Context): string | undefined =>
  req.method === 'OPTIONS' && req.header('origin') !== undefined
    ? req.header('access-control-request-method')
    : undefined
