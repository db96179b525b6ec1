import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import type { FastPathResponse } from '../../../gateway/adapters/node/fast-path/fast-response.ts'
import { fastPath } from '../../../test/support/gateway/fast-path.ts'
import { closeSockets, listen, openSocket } from '../../../test/support/gateway/sockets.ts'
import { createHttpServer } from './http-server.ts'
import { defaultStallSeconds } from './stalled-clients.ts'

afterEach(closeSockets)

const megabyte = 1024 ** 2
const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

/** A server that answers each request with so many bytes, in one piece. */
async function start(way: 'node:http' | 'the fast path', megabytes: number, stallSeconds?: number) {
  const body = Buffer.alloc(megabytes * megabyte)
  const answer = (response: Parameters<RequestListener>[1] | FastPathResponse) => {
    response.writeHead(200, ['content-length', String(body.length)] as never)
    response.end(body as never)
  }
  const server = createHttpServer({
    keepAliveSeconds: 0.1,
    listener: (_request, response) => answer(response),
    ...fastPath({
      accepts: () => way === 'the fast path',
      listener: (_request, response) => answer(response),
    }),
    stallSeconds,
  })
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const client = await openSocket(await listen(server))
  client.pause()
  client.write(request)
  const [socket] = await accepted
  return { client, socket, length: body.length }
}

/**
 * Reads at a steady rate until all has come; gives how much, and the most that came without
 * progress at the server.
 */
async function readSteadily(client: Socket, socket: Socket, bytesPerSecond: number, length: number) {
  const everyMs = 10
  let received = 0
  let hiddenBytes = 0
  let left = 0
  let shownAt = 0
  client.on('end', () => client.destroy())
  while (received < length && !client.destroyed) {
    await sleep(everyMs)
    const bytes = client.read(Math.min(client.readableLength, (bytesPerSecond * everyMs) / 1000))
    received += bytes?.length ?? 0
    const { _handle: handle } = socket as Socket & { _handle?: { writeQueueSize: number } | null }
    const leftNow = handle?.writeQueueSize ?? 0
    if (leftNow !== left || leftNow === 0) shownAt = received
    left = leftNow
    hiddenBytes = Math.max(hiddenBytes, received - shownAt)
  }
  return { received, hiddenBytes }
}

describe.each(['node:http', 'the fast path'] as const)('by %s', (way) => {
  test('a client that reads steadily has the whole response, however long that takes', async () => {
    const { client, socket, length } = await start(way, 36, 1.2)
    const { received } = await readSteadily(client, socket, 12 * megabyte, length)
    expect(received).toBeGreaterThanOrEqual(length)
  })

  test('a client that pauses for less than the time has the whole response', async () => {
    const { client, length } = await start(way, 24, 5)
    await sleep(1500)
    let received = 0
    client.on('data', (bytes: Buffer) => {
      received += bytes.length
    })
    client.resume()
    await expect.poll(() => received).toBeGreaterThan(length)
  })

  test('a client that reads nothing is disconnected with a reset', async () => {
    const { client, socket } = await start(way, 24, 0.3)
    await expect.poll(() => socket.destroyed, { timeout: 3000 }).toBe(true)
    const failed = new Promise<NodeJS.ErrnoException>((resolve) => client.once('error', resolve))
    client.resume()
    expect((await failed).code).toBe('ECONNRESET')
  })

  // Sending more is no sign of life: the response still waits.
  test('a client that sends and reads nothing is disconnected', async () => {
    const { client, socket } = await start(way, 24, 0.3)
    const drip = setInterval(() => client.write('\r\n'), 50)
    await expect.poll(() => socket.destroyed, { timeout: 3000 }).toBe(true)
    clearInterval(drip)
  })
})

// The system takes more bytes only when a good part of its buffer is free again: until then nothing
// shows that a client reads.
test('by default a client of 8 KB/s is not taken for one that reads nothing', {
  timeout: 60_000,
}, async () => {
  const { client, socket, length } = await start('node:http', 24)
  const { received, hiddenBytes } = await readSteadily(client, socket, 8 * megabyte, length)
  expect(received).toBeGreaterThanOrEqual(length)
  expect(hiddenBytes).toBeGreaterThan(100_000)
  expect(hiddenBytes / 8192).toBeLessThan(defaultStallSeconds)
})
