import type { RawHeaders } from '../../shared/http/headers.ts'
import { createOriginSet } from '../../shared/http/origin-pattern.ts'
import { isForwarded } from './request-headers.ts'

export interface CorsRules {
  /** Origins whose pages may call, exact or with one wildcard label. */
  origins: readonly string[]
  /** Response headers that pages may read beside `defaultExposedHeaders`. */
  exposedHeaders?: readonly string[] | undefined
  /**
   * Request headers that a preflight allows beside `defaultRequestHeaders`; undefined for all that
   * the gateway forwards.
   */
  requestHeaders?: readonly string[] | undefined
  /** Lifetime of a preflight in the browser's cache. */
  maxAgeSeconds?: number | undefined
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
  'Server-Timing',
  'Sunset',
  'WWW-Authenticate',
  'X-Request-Id',
  'X-Total-Count',
]

/** Request headers that a preflight always allows, beside those that it names. */
const defaultRequestHeaders = [
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
const defaultRequestNames = new Set(defaultRequestHeaders.map((name) => name.toLowerCase()))

const methods = 'GET,HEAD,POST,PUT,PATCH,DELETE'
const headerName = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/

/** The headers that one set of rules grants to pages. */
export function createCorsGrants({
  origins,
  exposedHeaders = [],
  requestHeaders,
  maxAgeSeconds = 600,
}: CorsRules) {
  const allowed = createOriginSet(origins)
  const exposed = [...defaultExposedHeaders, ...exposedHeaders].join(',')
  const requestNames = requestHeaders && new Set(requestHeaders.map((name) => name.toLowerCase()))

  /**
   * CORS protects by origin; a fixed list of headers would only break frontends whose libraries add
   * one. Headers that the gateway does not forward are left out, so that the page gets an error.
   *
   * @param requested the names that a preflight asks for
   */
  function allowedRequestHeaders(requested: string): string {
    const more = requested
      .split(',')
      .map((name) => name.trim())
      .filter((name) => {
        const lower = name.toLowerCase()
        return (
          headerName.test(name) &&
          !defaultRequestNames.has(lower) &&
          isForwarded(name) &&
          (requestNames === undefined || requestNames.has(lower))
        )
      })
    return [...defaultRequestHeaders, ...new Set(more)].join(',')
  }

  return {
    /** Allowed origins that are no pattern. */
    exactOrigins: allowed.exact,

    allows: allowed.has,

    /** For pages of an allowed origin. */
    headersOf: (origin: string): RawHeaders => [
      'access-control-allow-origin',
      origin,
      'access-control-allow-credentials',
      'true',
      'access-control-expose-headers',
      exposed,
    ],

    /** Headers that a preflight of an allowed origin gets beside them. */
    preflightHeaders: (requested = ''): RawHeaders => [
      'access-control-allow-methods',
      methods,
      'access-control-allow-headers',
      allowedRequestHeaders(requested),
      'access-control-max-age',
      String(maxAgeSeconds),
    ],
  }
}

export type CorsGrants = ReturnType<typeof createCorsGrants>
