/** Header names and values in turn, as in `rawHeaders` of node:http. */
export type RawHeaders = string[]

/**
 * The headers that Gatehouse speaks in. Everything under `gatehouse-` is ours: a client's are
 * removed at the gateway.
 */
export const assertionHeader = 'gatehouse-assertion'
/**
 * Authentication scheme (RFC 9110, section 11.1) in the challenge of a service that refuses an
 * assertion.
 */
export const assertionScheme = 'Gatehouse-Assertion'
/** Of a request over a limit that the gateway forwards all the same (shared/http/over-limit.ts). */
export const overLimitHeader = 'gatehouse-over-limit'
/**
 * The address of a user whom a service signs in; from a service that may
 * (docs/internal-services.md).
 */
export const clientAddressHeader = 'gatehouse-client-address'
export const requestIdHeader = 'x-request-id'

/**
 * Our cookies. The prefix binds them to this host, over TLS, for every path (RFC 6265bis, section
 * 4.1.3.2).
 */
export const ownCookiePrefix = '__Host-gatehouse_'
export const refreshCookie = `${ownCookiePrefix}refresh`
export const deviceCookie = `${ownCookiePrefix}device`

/** Some servers read `Gatehouse_Assertion` as `Gatehouse-Assertion`, so both spellings count. */
export function isInternalHeader(name: string): boolean {
  return name.toLowerCase().replaceAll('_', '-').startsWith('gatehouse-')
}
