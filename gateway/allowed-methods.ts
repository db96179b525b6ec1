import type { RequireHost } from './decision/served-hosts.ts'
import { formatAllow, ownMethods } from './lib/http-method.ts'
import { localPaths } from './local-paths.ts'
import type { Policy } from './policy/policy.ts'
import { normalizePath, readTarget } from './policy/request-target.ts'
import type { Pages } from './web-ui/pages.ts'

interface AllowedMethodsOptions {
  policy: Pick<Policy, 'methods'>
  pages: Pages
  requireHost: RequireHost
}

/**
 * `OPTIONS *` concerns the whole server. Runtimes whose URLs need a path pass it as `/*`, which no
 * row matches.
 */
const wholeServer = '/*'
const ofTheServer = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

/**
 * The value of Allow in the response to an OPTIONS that is no preflight (RFC 9110, section 9.3.7).
 */
export function createAllowedMethods({ policy, pages, requireHost }: AllowedMethodsOptions) {
  /** @throws Problem `not_found`, `bad_request`, `misdirected_request` */
  return function allowedMethods(target: string, host: string): string {
    if (target === wholeServer) return formatAllow(ofTheServer)
    const path = normalizePath(target.replace(/\?.*/s, ''))
    if (localPaths.has(path) || pages.has(path)) return formatAllow(ownMethods)
    requireHost(host)
    return formatAllow(policy.methods(readTarget(target).path))
  }
}

export type AllowedMethods = ReturnType<typeof createAllowedMethods>
