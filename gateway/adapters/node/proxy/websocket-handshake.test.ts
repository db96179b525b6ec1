import { once } from 'node:events'
import { createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, test } from 'vitest'
import { openRow } from '../../../../test/support/gateway/gateway-harness.ts'
import {
  bodyOf,
  closeSockets,
  listen,
  openSocket,
  startGateway,
  statusOf,
} from '../../../../test/support/gateway/sockets.ts'

afterEach(closeSockets)

const good = [
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
]
const offers = ['Sec-WebSocket-Protocol: chat, log', 'Sec-WebSocket-Extensions: permessage-deflate; x="a, b"']
const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='

/**
 * A client that has sent its handshake to a gateway whose upstream responds 101 with these lines
 * and 'bytes'.
 */
async function shake(lines: readonly string[], sent = [key, ...offers]) {
  const upstreamClosed = Promise.withResolvers<void>()
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('close', () => upstreamClosed.resolve())
    socket.once('data', () =>
      socket.write(`${['HTTP/1.1 101 Switching Protocols', ...lines].join('\r\n')}\r\n\r\nbytes`),
    )
  })
  const policy = [{ ...openRow, path: '/socket', websocket: true }]
  const { port } = await startGateway({ upstreamPort: await listen(server), policy })
  const socket = await openSocket(port)
  const head = ['GET /socket HTTP/1.1', 'Host: x', 'Connection: Upgrade', 'Upgrade: websocket', ...sent]
  socket.write(`${head.join('\r\n')}\r\nSec-WebSocket-Version: 13\r\n\r\n`)
  return { socket, upstreamClosed: upstreamClosed.promise }
}

const without = (name: string) => good.filter((line) => !line.startsWith(name))

describe('502 upstream_unreachable: a 101 that opens no WebSocket, and the upstream connection is closed', () => {
  test.each<[string, string[]]>([
    ['without Sec-WebSocket-Accept', without('Sec')],
    ['with that of another key', [...without('Sec'), 'Sec-WebSocket-Accept: HSmrc0sMlYUkAGmm5OPpG2HaGWk=']],
    ['with two of them', [...good, good[2] as string]],
    ['to another protocol', [...without('Upgrade'), 'Upgrade: h2c']],
    ['to several protocols', [...without('Upgrade'), 'Upgrade: websocket, h2c']],
    ['without Upgrade', without('Upgrade')],
    ['without Connection', without('Connection')],
    ['with a subprotocol that was not offered', [...good, 'Sec-WebSocket-Protocol: admin']],
    ['with two subprotocols', [...good, 'Sec-WebSocket-Protocol: chat, log']],
    ['with an extension that was not offered', [...good, 'Sec-WebSocket-Extensions: permessage-bzip']],
  ])('%s', async (_what, lines) => {
    const { socket, upstreamClosed } = await shake(lines)
    const wire = await text(socket)
    expect(statusOf(wire)).toBe(502)
    expect(JSON.parse(bodyOf(wire))).toMatchObject({ code: 'upstream_unreachable' })
    await upstreamClosed
  })

  test.each<[string, string[]]>([
    ['of a client that sent no key', []],
    ['of a client that sent two', [key, key]],
  ])('%s', async (_what, sent) => {
    const { socket, upstreamClosed } = await shake(good, sent)
    expect(statusOf(await text(socket))).toBe(502)
    await upstreamClosed
  })
})

describe('101', () => {
  test.each<[string, string[]]>([
    ['with nothing chosen of what was offered', good],
    ['with one subprotocol of those offered', [...good, 'Sec-WebSocket-Protocol: log']],
    [
      'with the extension that was offered',
      [...good, 'Sec-WebSocket-Extensions: Permessage-Deflate; y="c, d"'],
    ],
    ['in other letter case', ['upgrade: WebSocket', 'connection: keep-alive, UPGRADE', good[2] as string]],
  ])('%s: the bytes behind it reach the client', async (_what, lines) => {
    const { socket } = await shake(lines)
    let wire = ''
    while (!wire.endsWith('\r\n\r\nbytes')) wire += String((await once(socket, 'data'))[0])
    expect(wire).toMatch(/^HTTP\/1\.1 101 /)
  })
})
