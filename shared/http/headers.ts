/** Header names and values in turn, as in `rawHeaders` of node:http. */
export type RawHeaders = string[]

/**
 * Headers of Gatehouse. The prefix `gatehouse-` is reserved: the gateway removes such headers of
 * clients.
 */
export const assertionHeader = 'gatehouse-assertion'
/**
 * Authentication scheme (RFC 9110, section 11.1) in the challenge of a service that rejects an
 * assertion.
 */
export const assertionScheme = 'Gatehouse-Assertion'
/** Marks a forwarded request over a limit (shared/http/over-limit.ts). */
export const overLimitHeader = 'gatehouse-over-limit'
/** Current limits of the caller, on rows that pass them (shared/contract/user-limits.ts). */
export const userLimitsHeader = 'gatehouse-limits'
/**
 * Address of a user whom an authorized service signs in (docs/internal-services.md).
 */
export const clientAddressHeader = 'gatehouse-client-address'
/**
 * Of the origin, in the response to an attempt: `not_failed` where the credential was right, or was
 * not evaluated, although the status is that of a failure. Such an attempt counts against no limit
 * of failures.
 */
export const attemptHeader = 'gatehouse-attempt'
export const requestIdHeader = 'x-request-id'

/**
 * Prefix of the product's cookies. `__Host-` binds them to this host, over TLS, for every path (RFC
 * 6265bis, section 4.1.3.2).
 */
export const ownCookiePrefix = '__Host-gatehouse_'
export const refreshCookie = `${ownCookiePrefix}refresh`
export const deviceCookie = `${ownCookiePrefix}device`

/** Some servers read `Gatehouse_Assertion` as `Gatehouse-Assertion`, so both spellings count. */
export function isInternalHeader(name: string): boolean {
  return name.toLowerCase().replaceAll('_', '-').startsWith('gatehouse-')
}
