import type { IncomingMessage } from 'node:http'
import { isHost } from '../../http/host-header.ts'
import { isNamed } from './header-lines.ts'

declare module 'node:http' {
  interface IncomingMessage {
    /** The scheme of the target, where it came in the absolute form. */
    targetScheme?: 'http' | 'https'
  }
}

const absoluteForm = /^(https?):\/\/([^/?#]*)(.*)$/is

/**
 * Rewrites a target in the absolute form (`http://api.example.com/v1/me`) to the origin form
 * (`/v1/me`), and Host to the authority of the target, whatever the client wrote there (RFC 9112,
 * section 3.2.2). A target that names no host, or has userinfo, stays as it is; so does one next to
 * a Host that is missing, malformed or doubled. All are refused like any other target that is no
 * path.
 */
export function toOriginForm(request: IncomingMessage): void {
  const { url = '', method, rawHeaders, httpVersion } = request
  if (url.startsWith('/')) return
  const [, scheme, authority, rest] = absoluteForm.exec(url) ?? []
  if (scheme === undefined || authority === undefined || rest === undefined || !isHost(authority)) return
  const hosts = rawHeaders.flatMap((name, i) => (i % 2 === 0 && isNamed(name, 'host') ? [i + 1] : []))
  const [hostAt] = hosts
  if (hostAt === undefined) {
    if (httpVersion !== '1.0') return
    rawHeaders.push('Host', authority)
  } else {
    if (hosts.length > 1 || !isHost(rawHeaders[hostAt] as string)) return
    rawHeaders[hostAt] = authority
  }
  request.headers.host = authority
  request.targetScheme = scheme.toLowerCase() as 'http' | 'https'
  // Without a path OPTIONS asks for the server as a whole (RFC 9112, section 3.2.4).
  if (rest === '') request.url = method === 'OPTIONS' ? '*' : '/'
  else request.url = rest.startsWith('/') ? rest : `/${rest}`
}
