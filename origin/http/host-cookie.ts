/**
 * Attributes that the `__Host-` prefix requires (RFC 6265bis, section 4.1.3.2), without access for
 * scripts or other sites.
 */
export const hostCookieAttributes = { path: '/', secure: true, httpOnly: true, sameSite: 'Strict' } as const
