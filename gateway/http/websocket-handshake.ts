import type { RawHeaders } from '../../shared/http/headers.ts'

/**
 * A browser cannot give a WebSocket an Authorization header: its token comes as the name of a
 * subprotocol.
 */
const bearerProtocol = 'gatehouse.bearer.'

export interface Handshake {
  /** The headers that make it one, names and values in turn, without tokens. */
  headers: RawHeaders
  /** As they would stand in an Authorization header. */
  credentials: string[]
}

/**
 * What the handshake of a WebSocket has beside the headers of every request (RFC 6455, section
 * 4.1).
 *
 * @param raw names and values in turn, as they came
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
