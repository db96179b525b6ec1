import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { RawHeaders } from '../../shared/http/headers.ts'
import { isForwarded } from './request-headers.ts'

export interface CorsOptions {
  /**
   * Exact origins whose pages may call. Patterns are not supported: they could match a suffix, a
   * prefix or another port.
   */
  origins: readonly string[]
  /** Response headers that pages may read beside `defaultExposedHeaders`. */
  exposedHeaders?: readonly string[]
  /** Lifetime of a preflight in the browser's cache. */
  maxAgeSeconds?: number
}

/**
 * Response headers that pages may read beside those that CORS always allows (Fetch,
 * CORS-safelisted).
 */
export const defaultExposedHeaders = [
  'Accept-Ranges',
  'Allow',
  'Content-Disposition',
  'Content-Range',
  'Date',
  'Deprecation',
  'ETag',
  'Link',
  'Location',
  'Preference-Applied',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'Sunset',
  'WWW-Authenticate',
  'X-Request-Id',
  'X-Total-Count',
]

/** Request headers that a preflight always allows, beside those that it names. */
const allowedHeaders = [
  'Accept',
  'Accept-Language',
  'Authorization',
  'Baggage',
  'Cache-Control',
  'Content-Language',
  'Content-Type',
  'Idempotency-Key',
  'If-Match',
  'If-Modified-Since',
  'If-None-Match',
  'If-Range',
  'If-Unmodified-Since',
  'Last-Event-ID',
  'Prefer',
  'Range',
  'Traceparent',
  'Tracestate',
  'X-Request-Id',
  'X-Requested-With',
]
const allowedHeaderNames = new Set(allowedHeaders.map((name) => name.toLowerCase()))

const methods = 'GET,HEAD,POST,PUT,PATCH,DELETE'
const headerName = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/

/** CORS headers for pages of an allowed origin. */
export const corsHeaders = (origin: string, exposedHeaders: readonly string[] = []): RawHeaders => [
  'access-control-allow-origin',
  origin,
  'access-control-allow-credentials',
  'true',
  'access-control-expose-headers',
  [...defaultExposedHeaders, ...exposedHeaders].join(','),
]

/**
 * Answers preflights, and lets pages of the allowed origins read responses, errors too (Fetch,
 * section 3.3).
 */
export function cors({ origins, exposedHeaders, maxAgeSeconds = 600 }: CorsOptions) {
  const granted = new Map(origins.map((origin) => [origin, corsHeaders(origin, exposedHeaders)]))

  function grant(c: Context): boolean {
    const headers = granted.get(c.req.header('origin') ?? '')
    c.header('vary', 'Origin', { append: true })
    if (!headers) return false
    for (let i = 0; i < headers.length; i += 2) c.header(headers[i] as string, headers[i + 1])
    return true
  }

  function respondToPreflight(c: Context): Response {
    if (grant(c)) {
      c.header('access-control-allow-methods', methods)
      c.header('access-control-allow-headers', allowedOf(c.req.header('access-control-request-headers')))
      c.header('access-control-max-age', String(maxAgeSeconds))
    }
    c.header('vary', 'Access-Control-Request-Headers', { append: true })
    return c.body(null, 204)
  }

  return createMiddleware(async function cors(c, next) {
    if (isPreflight(c)) return respondToPreflight(c)
    await next()
    grant(c)
    return undefined
  })
}

/** Other OPTIONS requests are routed like any request. */
const isPreflight = ({ req }: Context): boolean =>
  req.method === 'OPTIONS' &&
  req.header('origin') !== undefined &&
  req.header('access-control-request-method') !== undefined

/**
 * CORS protects by origin; a fixed list of headers would only break frontends whose libraries add
 * one. Headers that the gateway does not forward are left out, so that the page gets an error.
 *
 * @param requested the names that a preflight asks for
 */
function allowedOf(requested = ''): string {
  const more = requested
    .split(',')
    .map((name) => name.trim())
    .filter(
      (name) => headerName.test(name) && !allowedHeaderNames.has(name.toLowerCase()) && isForwarded(name),
    )
  return [...allowedHeaders, ...new Set(more)].join(',')
}
