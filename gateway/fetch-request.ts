import { Problem } from '../shared/http/errors.ts'
import { isHost } from '../shared/http/host-header.ts'
import type { RequestLifecycle } from '../shared/http/request-lifecycle.ts'
import type { RequestInfo } from './decision/decision-context.ts'
import type { GatewayPorts } from './gateway-ports.ts'
import { readHeaders } from './http/request-headers.ts'

/** Reads the head of a web-standard Request, with what the runtime knows of its socket. */
export function createFetchRequestReader<Bindings>({
  peerAddress,
  socketScheme,
}: Pick<GatewayPorts<Bindings>, 'peerAddress' | 'socketScheme'>) {
  /** @throws Problem `bad_request`, `too_many_fields` */
  return function readFetchRequest(
    request: Request,
    bindings: Bindings,
    { requestId, outgoingTrace }: Pick<RequestLifecycle, 'requestId' | 'outgoingTrace'>,
  ): RequestInfo {
    const url = new URL(request.url)
    const headers = readHeaders([...request.headers].flat())
    const targetScheme = url.protocol === 'https:' ? 'https' : 'http'
    return {
      method: request.method,
      target: targetOf(request.url),
      headers: { ...headers, host: hostOf(url, headers.host) },
      requestId,
      peer: peerAddress(bindings),
      scheme: socketScheme?.(bindings) ?? targetScheme,
      targetScheme,
      outgoingTrace,
    }
  }
}

export type ReadFetchRequest<Bindings> = ReturnType<typeof createFetchRequestReader<Bindings>>

/**
 * The authority of the target. A runtime may keep the Host field to itself, and where the target
 * came in the absolute form, Host does not count (RFC 9112, section 3.2.2).
 *
 * @throws Problem `bad_request` for userinfo
 */
export function hostOf(url: URL, field: string | undefined): string {
  if (url.username !== '' || url.password !== '') throw new Problem('bad_request')
  return field !== undefined && (field.toLowerCase() === url.host || !isHost(field)) ? field : url.host
}

/** Path and query as the URL has them; Hono's own `path` is decoded in part. */
export const targetOf = (url: string): string => url.slice(url.indexOf('/', url.indexOf('://') + 3))
