import { Problem } from '../../shared/http/errors.ts'
import { parseHost } from '../../shared/http/host-header.ts'

/**
 * `api.example.com.` is the same host as `api.example.com`: the dot only names the DNS root (RFC
 * 1034, section 3.1).
 */
const withoutRootDot = (name: string): string => (name.endsWith('.') ? name.slice(0, -1) : name)

/**
 * Rejects requests for hosts that this gateway does not serve.
 *
 * @param hosts undefined where every host is served
 */
export function createRequireHost(hosts: readonly string[] | undefined) {
  const served = hosts && new Set(hosts.map(withoutRootDot))
  /** The last accepted header, and its host. Most requests repeat it, so it is not parsed again. */
  let lastField: string | undefined
  let lastHost = ''

  /**
   * @returns the host with its port, without the root dot
   * @throws Problem `bad_request`, `misdirected_request`
   */
  return function requireHost(field: string | undefined): string {
    if (field !== undefined && field === lastField) return lastHost
    const parsed = field === undefined ? undefined : parseHost(field)
    const name = withoutRootDot(parsed?.name ?? '')
    if (parsed === undefined || name === '') throw new Problem('bad_request')
    if (served && !served.has(name.toLowerCase())) throw new Problem('misdirected_request')
    lastField = field
    lastHost = name + parsed.port
    return lastHost
  }
}

export type RequireHost = ReturnType<typeof createRequireHost>
