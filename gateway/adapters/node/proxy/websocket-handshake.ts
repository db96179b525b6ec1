import { hash } from 'node:crypto'
import type { RawHeaders } from '../../../../shared/http/headers.ts'

/** Headers as undici parses them: lower-case names; an array for a repeated header. */
export type ParsedHeaders = Record<string, string | string[] | undefined>

/** GUID of RFC 6455, section 1.3. */
const acceptGuid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/**
 * The header because of which a 101 opens no WebSocket (RFC 6455, section 4.1), or undefined where
 * it opens one. Bytes after a wrong 101 belong to a protocol that the client did not request.
 *
 * @param offered the headers of the request upstream, names and values in turn
 */
export function handshakeFault(
  offered: Readonly<RawHeaders>,
  responseHeaders: ParsedHeaders,
): string | undefined {
  const keys = offeredValues(offered, 'sec-websocket-key')
  const accept = keys.length === 1 && hash('sha1', keys[0] + acceptGuid, 'base64')
  const protocols = offeredValues(offered, 'sec-websocket-protocol').flatMap(listOf)
  const extensions = offeredValues(offered, 'sec-websocket-extensions').flatMap(extensionNames)

  if (valuesOf(responseHeaders.upgrade).join().toLowerCase() !== 'websocket') return 'Upgrade'
  const connection = valuesOf(responseHeaders.connection).flatMap(listOf)
  if (!connection.some((option) => option.toLowerCase() === 'upgrade')) return 'Connection'
  if (valuesOf(responseHeaders['sec-websocket-accept']).join() !== accept) return 'Sec-WebSocket-Accept'
  const chosen = valuesOf(responseHeaders['sec-websocket-protocol'])
  if (chosen.length > 1 || chosen.some((protocol) => !protocols.includes(protocol)))
    return 'Sec-WebSocket-Protocol'
  const agreed = valuesOf(responseHeaders['sec-websocket-extensions']).flatMap(extensionNames)
  if (agreed.some((name) => !extensions.includes(name))) return 'Sec-WebSocket-Extensions'
  return undefined
}

const valuesOf = (value: string | string[] | undefined): string[] =>
  [value ?? []].flat().map((one) => one.trim())

const offeredValues = (headers: Readonly<RawHeaders>, name: string): string[] =>
  headers.filter((_, i) => i % 2 === 1 && headers[i - 1] === name)

const listOf = (value: string): string[] => value.split(',').map((item) => item.trim())

/** Parameters may be quoted, with commas inside. */
const extensionNames = (value: string): string[] =>
  listOf(value.replace(/"[^"]*"/g, '')).map((item) => (item.split(';', 1)[0] as string).trim().toLowerCase())
