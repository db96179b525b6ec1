/**
 * Paths that the gateway serves itself, before the policy table; its pages, where it has some, come
 * to these.
 */
export const ownPaths: ReadonlySet<string> = new Set(['/live', '/ready', '/health'])
