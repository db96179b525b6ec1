import { securityHeaders } from '../http/security-headers.ts'

/** What the gateway answers by itself under a path, the same to everybody. */
export interface Page {
  body: Uint8Array<ArrayBuffer> | string
  /** Beside the security headers, or in the place of one. */
  headers: Readonly<Record<string, string>>
}

/** By path; like `/live` they come before the policy table. */
export type Pages = ReadonlyMap<string, Page>

/** 304 for a reader who has it already (RFC 9110, section 13.1.2). */
export function pageResponse({ body, headers }: Page, ifNoneMatch: string | undefined): Response {
  const all = { ...securityHeaders, ...headers }
  const isKnown = headers.etag !== undefined && ifNoneMatch?.includes(headers.etag)
  return isKnown ? new Response(null, { status: 304, headers: all }) : new Response(body, { headers: all })
}
