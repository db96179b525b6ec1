import type { RawHeaders } from '../../shared/http/headers.ts'

/**
 * Browsers cannot set an Authorization header on a WebSocket: the token is sent as a subprotocol
 * name.
 */
const bearerProtocol = 'gatehouse.bearer.'

export interface Handshake {
  /** Headers of the handshake, without tokens. */
  headers: RawHeaders
  /** In the form of an Authorization header. */
  credentials: string[]
}

/**
 * Reads the headers of a WebSocket handshake (RFC 6455, section 4.1).
 *
 * @param raw as received
 */
export function readHandshake(raw: Readonly<RawHeaders>): Handshake {
  const headers: RawHeaders = []
  const credentials: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase()
    const value = raw[i + 1] as string
    if (!name.startsWith('sec-websocket-')) continue
    if (name !== 'sec-websocket-protocol') {
      headers.push(name, value)
      continue
    }
    const protocols = value.split(',').map((protocol) => protocol.trim())
    const own = protocols.filter((protocol) => protocol.startsWith(bearerProtocol))
    const others = protocols.filter((protocol) => !protocol.startsWith(bearerProtocol))
    credentials.push(...own.map((protocol) => `Bearer ${protocol.slice(bearerProtocol.length)}`))
    if (others.length > 0) headers.push(name, others.join(', '))
  }
  return { headers, credentials }
}
