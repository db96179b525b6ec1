import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, test } from 'vitest'
import { openRow } from '../support/gateway/gateway-harness.ts'
import {
  bodyOf,
  closeSockets,
  listen,
  openSocket,
  startGateway,
  startGatewayWithUpstream,
} from '../support/gateway/sockets.ts'

/**
 * A response that breaks off shows as broken to every client. Over HTTP/1.0 a body without a length
 * ends with its connection: closed as usual, half of it looks whole.
 */

afterEach(closeSockets)

const get = (version: string, ...headers: string[]) =>
  [`GET /open HTTP/${version}`, 'Host: x', ...headers, '', ''].join('\r\n')

/**
 * A gateway before an upstream that has sent the first part of a body of unknown length, and a
 * client that has it.
 */
async function startHalf(version: string, type = 'text/plain') {
  const asked = Promise.withResolvers<ServerResponse>()
  const gatewayWithUpstream = await startGatewayWithUpstream((_request, response) => {
    response.writeHead(200, { 'content-type': type })
    response.write('half')
    asked.resolve(response)
  })
  const socket = await openSocket(gatewayWithUpstream.port)
  let received = ''
  socket.setEncoding('latin1').on('data', (bytes: string) => {
    received += bytes
  })
  const ended = new Promise<string>((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    socket.once('end', () => resolve('end'))
  })
  socket.write(get(version))
  const upstream = await asked.promise
  await expect.poll(() => received).toContain('half')
  return { ...gatewayWithUpstream, upstream, ended, received: () => received }
}

describe('HTTP/1.0: the connection is reset', () => {
  test('where the upstream breaks off', async () => {
    const { upstream, ended } = await startHalf('1.0')
    upstream.destroy()
    expect(await ended).toBe('ECONNRESET')
  })

  test('where an event stream ends with its token, or with the gateway', async () => {
    const { streams, ended } = await startHalf('1.0', 'text/event-stream')
    streams.endAll()
    expect(await ended).toBe('ECONNRESET')
  })

  test('where the time to drain is over', async () => {
    const { server, ended } = await startHalf('1.0')
    server.closeAllConnections()
    expect(await ended).toBe('ECONNRESET')
  })

  test('and not where the response is whole', async () => {
    const { upstream, ended, received } = await startHalf('1.0')
    upstream.end('whole')
    expect(await ended).toBe('end')
    expect(bodyOf(received())).toBe('halfwhole')
  })
})

test('HTTP/1.1: the last chunk is missing', async () => {
  const { upstream, ended, received } = await startHalf('1.1')
  upstream.destroy()
  await ended
  expect(received()).toMatch(/4\r\nhalf\r\n$/)
})

// Such a response has neither chunks nor a length, whatever the version.
test('a handshake whose rejection has half a body: the connection is reset', async () => {
  const upstream = createServer()
  upstream.on('upgrade', async (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n')
    setTimeout(() => socket.destroy(), 50)
  })
  const { port } = await startGateway({
    upstreamPort: await listen(upstream),
    policy: [{ ...openRow, websocket: true }],
  })
  const socket = await openSocket(port)
  const failed = once(socket, 'error').then(([error]) => (error as NodeJS.ErrnoException).code)
  const read = text(socket).catch(() => 'cut')
  socket.write(
    get('1.1', 'Connection: Upgrade', 'Upgrade: websocket', `Sec-WebSocket-Key: ${'A'.repeat(22)}==`),
  )
  expect(await Promise.race([failed, read.then((end) => `whole: ${end}`)])).toBe('ECONNRESET')
})
