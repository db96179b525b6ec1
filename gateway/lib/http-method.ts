/**
 * Whether a request reads: it changes nothing and may be sent twice, and a body has no meaning in
 * it (RFC 9110, sections 9.2.1 and 9.3.1).
 */
export const isRead = (method: string): boolean => method === 'GET' || method === 'HEAD'

/** Methods of the paths that the gateway serves itself. */
export const ownMethods = ['GET', 'HEAD'] as const

/** The value of Allow. The gateway answers OPTIONS for each path. */
export const formatAllow = (methods: Iterable<string>): string => [...methods, 'OPTIONS'].join(', ')
