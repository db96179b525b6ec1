import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import {
  closeSockets,
  listen,
  openSocket,
  statusOf,
  writeThenRead,
} from '../../../test/support/gateway/sockets.ts'
import { createHttpServer, fetchListener } from './http-server.ts'
import { closeInStages, stagedCloseLimits } from './staged-close.ts'

afterEach(closeSockets)

const refusing: RequestListener = (_request, response) =>
  void response.writeHead(401, { connection: 'close', 'content-length': 2 }).end('no')

/** A server that refuses every request, with what of the limits differs. */
async function startRefusing(limits: Partial<typeof stagedCloseLimits> = {}) {
  const server = createServer(refusing)
  const isClosing = closeInStages(server, { ...stagedCloseLimits, ...limits })
  return { server, port: await listen(server), isClosing }
}

const request = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n'
const pieceOf = (bytes: number) => Buffer.alloc(bytes)

const connectionsOf = (server: Server) =>
  new Promise<number>((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  )

/** A client that was refused, has read why, and goes on sending. */
async function openRefused(port: number) {
  const socket = await openSocket(port, { allowHalfOpen: true })
  socket.write(request)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  expect(statusOf(String(answer))).toBe(401)
  return socket
}

test('401 reaches a client that writes 20 MB before it reads, and the server reads to the end', async () => {
  const { port } = await startRefusing()
  const answer = await writeThenRead(port, request, pieceOf(20 * 1024 ** 2))
  expect(answer).toMatch(/\r\n\r\nno$/)
})

// The origin is served like this: its framework answers before it reads, and would close half a
// second later.
test('413 of a fetch listener reaches a client that takes a second to send its body', async () => {
  const server = createHttpServer({
    listener: fetchListener(() => new Response('too large', { status: 413 })),
    keepAliveSeconds: 5,
  })
  const socket = await openSocket(await listen(server))
  socket.pause()
  socket.write(request)
  for (let i = 0; i < 20; i++) {
    await sleep(50)
    await new Promise<void>((resolve, reject) => {
      socket.write(pieceOf(256 * 1024), (error) => (error ? reject(error) : resolve()))
    })
  }
  expect(statusOf(await text(socket))).toBe(413)
})

describe('a client that does not stop', () => {
  test('is cut off when it has sent nothing for a while', async () => {
    const { port, server } = await startRefusing({ idleMs: 200 })
    await openRefused(port)
    expect(await connectionsOf(server)).toBe(1)
    await expect.poll(() => connectionsOf(server)).toBe(0)
  })

  test('is cut off after the whole time, however it sends', async () => {
    const { port, server } = await startRefusing({ idleMs: 200, totalMs: 600 })
    const socket = await openRefused(port)
    const drip = setInterval(() => socket.write('a'), 50)
    const startedAt = performance.now()
    await expect.poll(() => connectionsOf(server), { interval: 20, timeout: 5000 }).toBe(0)
    clearInterval(drip)
    expect(performance.now() - startedAt).toBeGreaterThan(500)
  })

  test('is cut off after the most bytes', async () => {
    const { port, server } = await startRefusing({ bytes: 1024 ** 2 })
    const socket = await openRefused(port)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    const pour = () => {
      while (socket.writable && socket.write(pieceOf(64 * 1024)));
    }
    socket.on('drain', pour)
    pour()
    await closed
    expect(socket.bytesWritten).toBeGreaterThan(1024 ** 2)
    expect(await connectionsOf(server)).toBe(0)
  })

  test('takes no more places than there are: the oldest makes room', async () => {
    const { port, server } = await startRefusing({ connections: 3 })
    const accepted: Socket[] = []
    server.on('connection', (socket: Socket) => accepted.push(socket))
    for (let i = 0; i < 5; i++) await openRefused(port)
    await expect.poll(() => connectionsOf(server)).toBe(3)
    expect(accepted.map(({ destroyed }) => destroyed)).toEqual([true, true, false, false, false])
  })

  test('takes no more places than there are when all are rejected in one tick', async () => {
    const { port, server } = await startRefusing({ connections: 3 })
    const clients = []
    for (let i = 0; i < 6; i++) clients.push(await openSocket(port, { allowHalfOpen: true }))
    for (const client of clients) client.write(request.slice(0, -2))
    await expect.poll(() => connectionsOf(server)).toBe(6)
    for (const client of clients) client.write('\r\n')
    await expect.poll(() => connectionsOf(server)).toBe(3)
    await openRefused(port)
    await expect.poll(() => connectionsOf(server)).toBe(3)
  })

  test('does not delay the end of a server, before or after it stops to listen', async () => {
    const { port, server } = await startRefusing({ drainMs: 100 })
    const clients = [await openRefused(port), await openRefused(port)]
    const late = await openSocket(port, { allowHalfOpen: true })
    late.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n')
    await expect.poll(() => connectionsOf(server)).toBe(3)
    const drip = setInterval(() => {
      for (const client of clients) if (client.writable) client.write('a')
    }, 20)
    const closed = once(server, 'close')
    server.close()
    late.write('\r\n')
    const startedAt = performance.now()
    await closed
    clearInterval(drip)
    expect(performance.now() - startedAt).toBeLessThan(2000)
  })

  test('gets nothing acted on', async () => {
    const { port, isClosing, server } = await startRefusing()
    let requests = 0
    server.on('request', () => requests++)
    const accepted = once(server, 'connection')
    const socket = await openRefused(port)
    const [ofServer] = await accepted
    await expect.poll(() => isClosing(ofServer)).toBe(true)
    socket.end('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(socket, 'close')
    expect(requests).toBe(1)
  })
})
