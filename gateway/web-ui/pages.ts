import { securityHeaders } from '../http/security-headers.ts'

/** A static response of the gateway. */
export interface Page {
  body: Uint8Array<ArrayBuffer> | string
  /** Added to the security headers, or replacing one. */
  headers: Readonly<Record<string, string>>
}

/** By path; matched before the policy table, like `/live`. */
export type Pages = ReadonlyMap<string, Page>

/** 304 for a cached copy (RFC 9110, section 13.1.2). */
export function pageResponse({ body, headers }: Page, ifNoneMatch: string | undefined): Response {
  const all = { ...securityHeaders, ...headers }
  const isKnown = headers.etag !== undefined && ifNoneMatch?.includes(headers.etag)
  return isKnown ? new Response(null, { status: 304, headers: all }) : new Response(body, { headers: all })
}
