import type { RequireHost } from './decision/served-hosts.ts'
import { ownPaths } from './own-paths.ts'
import type { Policy } from './policy/policy.ts'
import { normalizePath, readTarget } from './policy/request-target.ts'
import type { Pages } from './web-ui/pages.ts'

interface AllowedMethodsOptions {
  policy: Pick<Policy, 'methods'>
  pages: Pages
  requireHost: RequireHost
}

/** `OPTIONS *` asks for the server as a whole. Runtimes whose URLs need a path have it as `/*`, which no row can be. */
const wholeServer = '/*'
const ofTheServer = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'

/** What the gateway answers to OPTIONS that is no preflight (RFC 9110, section 9.3.7): the value of Allow. */
export function createAllowedMethods({ policy, pages, requireHost }: AllowedMethodsOptions) {
  /** @throws Problem `not_found`, `bad_request`, `misdirected_request` */
  return function allowedMethods(target: string, host: string): string {
    if (target === wholeServer) return ofTheServer
    const path = normalizePath(target.replace(/\?.*/s, ''))
    if (ownPaths.has(path) || pages.has(path)) return 'GET, HEAD, OPTIONS'
    requireHost(host)
    return [...policy.methods(readTarget(target).path), 'OPTIONS'].join(', ')
  }
}

export type AllowedMethods = ReturnType<typeof createAllowedMethods>
