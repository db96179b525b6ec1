/**
 * Paths that the gateway serves itself, before the policy table; pages are added to these.
 */
export const ownPaths: ReadonlySet<string> = new Set(['/live', '/ready', '/health'])
