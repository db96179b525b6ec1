import { once } from 'node:events'
import type { IncomingMessage, RequestListener } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { openRow, postRow } from '../support/gateway/gateway-harness.ts'
import {
  bodyOf,
  closeSockets,
  openSocket,
  startGatewayWithUpstream,
  statusOf,
} from '../support/gateway/sockets.ts'

afterEach(closeSockets)

/** Shorter than any upload here: a head has little time, a body as much as its row says. */
const deadlines = { headers: 0.3, check: 0.05 }
const streamedRow = { ...postRow, body_bytes: 1024 ** 2 }

/** An upstream that acts on whole bodies alone. */
async function startReceiver(options: Parameters<typeof startGatewayWithUpstream>[1] = {}) {
  const acted: number[] = []
  const listener: RequestListener = async (incoming, response) => {
    incoming.on('error', () => {})
    try {
      acted.push((await text(incoming)).length)
      response.end('done')
    } catch {
      // Cut short: nothing is acted on.
    }
  }
  return { ...(await startGatewayWithUpstream(listener, { deadlines, ...options })), acted }
}

const head = (length: number, ...headers: string[]) =>
  ['POST /open HTTP/1.1', 'Host: x', `Content-Length: ${length}`, ...headers, '', ''].join('\r\n')

/** Sends so many bytes, one after the other, and gives what is answered. */
async function drip(port: number, start: string, bytes: number, everyMs = 50) {
  const socket = await openSocket(port)
  const answered = text(socket)
  socket.write(start)
  for (let sent = 0; sent < bytes && socket.writable; sent++) {
    await sleep(everyMs)
    socket.write('a')
  }
  return answered
}

describe('a body that comes steadily', () => {
  test.each([
    ['streamed', streamedRow],
    ['gathered', postRow],
  ])('200: takes as long as its row allows, %s', async (_name, row) => {
    const { port, acted } = await startReceiver({
      policy: [openRow, { ...row, deadline_seconds: 10 }],
      uploadIdleMs: 500,
    })
    expect(statusOf(await drip(port, head(24, 'Connection: close'), 24))).toBe(200)
    expect(acted).toEqual([24])
  })

  // The row's time covers the whole body: a byte now and then would otherwise hold the upstream for
  // ever.
  test.each([
    ['streamed', streamedRow],
    ['gathered', postRow],
  ])('408 body_timeout: not whole at the deadline of its row, %s', async (_name, row) => {
    const { port, acted, lines } = await startReceiver({
      policy: [openRow, { ...row, deadline_seconds: 0.5 }],
      uploadIdleMs: 5000,
    })
    const answer = await drip(port, head(1000), 40)
    expect(statusOf(answer)).toBe(408)
    expect(JSON.parse(bodyOf(answer)).code).toBe('body_timeout')
    expect(answer).toMatch(/\r\nconnection: close\r\n/i)
    expect(acted).toEqual([])
    await expect.poll(() => lines.find(({ msg }) => msg === 'request')).toMatchObject({ status: 408 })
  })
})

test.each([
  ['streamed', streamedRow],
  ['gathered', postRow],
])('408 body_timeout: no byte for a while, %s', async (_name, row) => {
  const { port, acted } = await startReceiver({
    policy: [openRow, { ...row, deadline_seconds: 10 }],
    uploadIdleMs: 300,
  })
  const answer = await drip(port, head(1000), 10)
  expect(statusOf(answer)).toBe(408)
  expect(JSON.parse(bodyOf(answer)).code).toBe('body_timeout')
  expect(acted).toEqual([])
})

// The client is not the one that is slow.
test('504 upstream_timeout: an upstream that reads nothing of a body, however little of it has arrived', async () => {
  const { port } = await startGatewayWithUpstream(() => {}, {
    policy: [openRow, { ...postRow, body_bytes: 1024 ** 3, deadline_seconds: 1 }],
    uploadIdleMs: 300,
  })
  const socket = await openSocket(port)
  const answered = text(socket)
  socket.write(head(100_000_000))
  socket.write(Buffer.alloc(100_000_000))
  const answer = await answered
  expect(statusOf(answer)).toBe(504)
  expect(JSON.parse(bodyOf(answer)).code).toBe('upstream_timeout')
})

test('200: a body that waits behind another request has its own time when its turn comes', async () => {
  const mayAnswer = Promise.withResolvers<void>()
  const bodies: string[] = []
  const { port } = await startGatewayWithUpstream(
    async (incoming: IncomingMessage, response) => {
      if (incoming.method === 'GET') await mayAnswer.promise
      else bodies.push(await text(incoming))
      response.end('ok')
    },
    { deadlines, policy: [openRow, streamedRow], uploadIdleMs: 300 },
  )
  const socket = await openSocket(port)
  const answered = text(socket)
  socket.write(`GET /open HTTP/1.1\r\nHost: x\r\n\r\n${head(6, 'Connection: close')}abc`)
  await sleep(600)
  mayAnswer.resolve()
  await sleep(100)
  socket.write('def')
  expect((await answered).match(/HTTP\/1\.1 200/g)).toHaveLength(2)
  expect(bodies).toEqual(['abcdef'])
})

test('a client that leaves in the middle of a slow body frees its place', async () => {
  const { port } = await startReceiver({
    policy: [openRow, streamedRow],
    environment: { UPSTREAM_REQUESTS: '1' },
  })
  const socket = await openSocket(port)
  socket.write(head(1000))
  await sleep(50)
  socket.destroy()
  await once(socket, 'close')
  await expect.poll(async () => statusOf(await drip(port, head(1, 'Connection: close'), 1, 1))).toBe(200)
})
