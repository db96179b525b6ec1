/**
 * What the `__Host-` prefix demands (RFC 6265bis, section 4.1.3.2), no script, and no other site.
 */
export const hostCookieAttributes = { path: '/', secure: true, httpOnly: true, sameSite: 'Strict' } as const
