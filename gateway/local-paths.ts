/**
 * Paths that the gateway serves itself, before the policy table; pages are added to these.
 */
export const localPaths: ReadonlySet<string> = new Set(['/live', '/ready', '/health'])
