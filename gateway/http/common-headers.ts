import type { RawHeaders } from '../../shared/http/headers.ts'
import { requestIdHeader } from '../../shared/http/headers.ts'
import { corsHeaders } from './cors.ts'
import { securityHeaders } from './security-headers.ts'

/** Headers that are the same in every response to pages of one origin. */
interface SharedHeaders {
  list: Readonly<RawHeaders>
  /** The same as lines of a head, without the end of the last. */
  lines: string
}

function toFixedHeaders(list: RawHeaders): SharedHeaders {
  const lines: string[] = []
  for (let i = 0; i < list.length; i += 2) lines.push(`${list[i]}: ${list[i + 1]}`)
  return { list, lines: lines.join('\r\n') }
}

/**
 * The headers that every response has: security headers, what CORS grants to the origin of the page
 * that asked, and the request's id. For a runtime that writes headers itself; the middlewares add
 * the same to a Response.
 */
export function createCommonHeaders(corsOrigins: readonly string[], exposedHeaders: readonly string[] = []) {
  const list = [...Object.entries(securityHeaders).flat(), 'vary', 'Origin']
  const everywhere = toFixedHeaders(list)
  const granted = new Map(
    corsOrigins.map((origin) => [origin, toFixedHeaders([...list, ...corsHeaders(origin, exposedHeaders)])]),
  )
  const forOrigin = (origin: string | undefined): SharedHeaders =>
    (origin === undefined ? undefined : granted.get(origin)) ?? everywhere

  return {
    /** All but the request's id. */
    forOrigin,

    of: (origin: string | undefined, requestId: string): RawHeaders => [
      ...forOrigin(origin).list,
      requestIdHeader,
      requestId,
    ],
  }
}

export type CommonHeaders = ReturnType<typeof createCommonHeaders>
