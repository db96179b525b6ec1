import { requestIdHeader } from '../../shared/http/headers.ts'
import { grantedFields } from './cors.ts'
import { securityHeaders } from './security-headers.ts'

/**
 * The fields that every answer has, names and values in turn: security headers, what CORS grants to
 * the origin of the page that asked, and the request's id. What the middlewares add to a Response,
 * for a runtime that writes fields itself.
 */
export function createCommonFields(corsOrigins: readonly string[], exposedHeaders: readonly string[] = []) {
  const everywhere = [...Object.entries(securityHeaders).flat(), 'vary', 'Origin']
  const granted = new Map(
    corsOrigins.map((origin) => [origin, [...everywhere, ...grantedFields(origin, exposedHeaders)]]),
  )

  return function commonFields(origin: string | undefined, requestId: string): string[] {
    const fields = (origin === undefined ? undefined : granted.get(origin)) ?? everywhere
    return [...fields, requestIdHeader, requestId]
  }
}

export type CommonFields = ReturnType<typeof createCommonFields>
