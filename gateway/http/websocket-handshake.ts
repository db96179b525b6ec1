/**
 * A browser cannot give a WebSocket an Authorization field: its token comes as the name of a
 * subprotocol.
 */
const bearerProtocol = 'gatehouse.bearer.'

export interface Handshake {
  /** The fields that make it one, names and values in turn, without tokens. */
  fields: string[]
  /** As they would stand in an Authorization field. */
  credentials: string[]
}

/**
 * What the handshake of a WebSocket has beside the fields of every request (RFC 6455, section 4.1).
 *
 * @param raw names and values in turn, as they came
 */
export function readHandshake(raw: readonly string[]): Handshake {
  const fields: string[] = []
  const credentials: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase()
    const value = raw[i + 1] as string
    if (!name.startsWith('sec-websocket-')) continue
    if (name !== 'sec-websocket-protocol') {
      fields.push(name, value)
      continue
    }
    const protocols = value.split(',').map((protocol) => protocol.trim())
    const own = protocols.filter((protocol) => protocol.startsWith(bearerProtocol))
    const others = protocols.filter((protocol) => !protocol.startsWith(bearerProtocol))
    credentials.push(...own.map((protocol) => `Bearer ${protocol.slice(bearerProtocol.length)}`))
    if (others.length > 0) fields.push(name, others.join(', '))
  }
  return { fields, credentials }
}
