import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { json } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { openRow } from '../support/gateway/gateway-harness.ts'
import { ask, closeSockets, listen, openSocket, startGateway, statusOf } from '../support/gateway/sockets.ts'

afterEach(closeSockets)

/** Where a loop is stopped that no gateway stops. */
const maxPasses = 30

/** A gateway whose upstream is the gateway itself, behind a balancer that passes bytes on. */
async function startLoop() {
  let passes = 0
  let gatewayPort = 0
  const balancer = createServer((socket) => {
    socket.on('error', () => {})
    if (++passes > maxPasses) {
      socket.destroy()
      return
    }
    const toGateway = connect(gatewayPort, '127.0.0.1')
    toGateway.on('error', () => socket.destroy())
    socket.on('close', () => toGateway.destroy())
    socket.pipe(toGateway).pipe(socket)
  })
  const upstreamPort = await listen(balancer)
  const policy = [openRow, { ...openRow, path: '/socket', websocket: true }]
  const { port } = await startGateway({ upstreamPort, policy })
  gatewayPort = port
  return { port, passes: () => passes }
}

test('508 loop_detected: a gateway that is its own upstream passes a request on once', async () => {
  const { port, passes } = await startLoop()
  const answer = await ask(port)
  expect(answer.statusCode).toBe(508)
  expect(await json(answer)).toMatchObject({ status: 508, code: 'loop_detected' })
  expect(passes()).toBe(1)
})

test('508 loop_detected: a WebSocket to itself', async () => {
  const { port, passes } = await startLoop()
  const socket = await openSocket(port)
  socket.write(
    'GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  )
  const [answer] = await once(socket, 'data')
  expect(statusOf(String(answer))).toBe(508)
  expect(passes()).toBe(1)
})

test('200 through two deployments in a row; a client that leaves ends the request at both', async () => {
  const asked: Socket[] = []
  const upstream = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', () => asked.push(socket))
  })
  const inner = await startGateway({ upstreamPort: await listen(upstream) })
  const edge = await startGateway({ upstreamPort: inner.port })
  const answer = ask(edge.port)
  await expect.poll(() => asked.length).toBe(1)
  asked[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  expect((await answer).statusCode).toBe(200)

  const client = await openSocket(edge.port)
  client.write('GET /open HTTP/1.1\r\nHost: x\r\n\r\n')
  await expect.poll(() => asked.length).toBe(2)
  const closed = once(asked[1] as Socket, 'close')
  client.destroy()
  await closed
  expect(asked).toHaveLength(2)
})
