import { hash } from 'node:crypto'
import type { RawHeaders } from '../../../../shared/http/headers.ts'

/** As undici has them: lower case names; an array for a header that came several times. */
export type ParsedHeaders = Record<string, string | string[] | undefined>

/** Of RFC 6455, section 1.3. */
const acceptGuid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/**
 * Why a 101 of an upstream opens no WebSocket (RFC 6455, section 4.1), or undefined where it opens
 * one. Bytes that follow a wrong 101 are of a protocol that neither the client nor the gateway's
 * policy has asked for.
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
