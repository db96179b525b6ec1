import type { RawHeaders } from '../../shared/http/headers.ts'
import { requestIdHeader } from '../../shared/http/headers.ts'
import { corsHeaders } from './cors.ts'
import { securityHeaders } from './security-headers.ts'

/**
 * The headers that every response has, names and values in turn: security headers, what CORS grants
 * to the origin of the page that asked, and the request's id. What the middlewares add to a
 * Response, for a runtime that writes headers itself.
 */
export function createCommonHeaders(corsOrigins: readonly string[], exposedHeaders: readonly string[] = []) {
  const everywhere = [...Object.entries(securityHeaders).flat(), 'vary', 'Origin']
  const granted = new Map(
    corsOrigins.map((origin) => [origin, [...everywhere, ...corsHeaders(origin, exposedHeaders)]]),
  )

  return function commonHeaders(origin: string | undefined, requestId: string): RawHeaders {
    const headers = (origin === undefined ? undefined : granted.get(origin)) ?? everywhere
    return [...headers, requestIdHeader, requestId]
  }
}

export type CommonHeaders = ReturnType<typeof createCommonHeaders>
