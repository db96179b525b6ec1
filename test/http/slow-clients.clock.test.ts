import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { closedRow, openRow, postRow } from '../support/gateway/gateway-harness.ts'
import {
  ask,
  bodyOf,
  closeSockets,
  openSocket,
  startGatewayWithUpstream,
  statusOf,
} from '../support/gateway/sockets.ts'

afterEach(closeSockets)

const get = 'GET /open HTTP/1.1\r\nHost: x\r\n\r\n'
const highLimits = { LIMIT_ADDRESS_REQUESTS: '1000000' }

describe('clients that are slow on purpose', () => {
  const deadlines = { headers: 0.3, check: 0.1 }

  /** Sends a byte at a time until the other end has had enough; gives what it answered. */
  async function drip(port: number, start: string, byte: string) {
    const socket = await openSocket(port)
    socket.write(start)
    const timer = setInterval(() => socket.write(byte), 50)
    const answer = await text(socket)
    clearInterval(timer)
    return answer
  }

  test('408 head_timeout: a head that never ends, a hundred of them; others are served meanwhile', async () => {
    const { port } = await startGatewayWithUpstream((_request, response) => response.end('ok'), {
      deadlines,
      environment: highLimits,
    })
    const dripping = Array.from({ length: 100 }, () =>
      drip(port, 'GET /open HTTP/1.1\r\nHost: x\r\nX-Slow: ', 'a'),
    )
    let isOver = false
    const all = Promise.all(dripping).finally(() => {
      isOver = true
    })
    do expect((await ask(port)).statusCode).toBe(200)
    while (!isOver)
    for (const answer of await all) {
      expect(statusOf(answer)).toBe(408)
      expect(JSON.parse(bodyOf(answer))).toMatchObject({ code: 'head_timeout' })
      expect(answer).toMatch(/\r\nstrict-transport-security: /i)
    }
  })

  test('a streamed body that never ends is cut, and the upstream has nothing whole to act on', async () => {
    const acted: string[] = []
    const { port } = await startGatewayWithUpstream(
      async (incoming, response) => {
        incoming.on('error', () => {})
        try {
          acted.push(await text(incoming))
          response.end()
        } catch {
          // Cut short: nothing is acted on.
        }
      },
      { policy: [openRow, { ...postRow, body_bytes: 1024 ** 2, deadline_seconds: 0.6 }] },
    )
    await drip(port, 'POST /open HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n', 'a')
    expect(acted).toEqual([])
  })

  test('a connection without a request ends too', async () => {
    const { port } = await startGatewayWithUpstream((_request, response) => response.end(), { deadlines })
    const socket = await openSocket(port)
    expect(statusOf(await text(socket))).toBe(408)
  })
})

describe('clients that read slowly', () => {
  const stallSeconds = 0.6

  /**
   * An upstream whose answer is told in chunks as small as they come, and ends when it is told to.
   */
  async function start() {
    const mayEnd = Promise.withResolvers<void>()
    let isClosed = false
    const { port } = await startGatewayWithUpstream(
      async (_request, response) => {
        const closed = once(response, 'close').then(() => {
          isClosed = true
        })
        for (let i = 0; i < 4000 && !isClosed; i++)
          if (!response.write(Buffer.alloc(8192))) await Promise.race([once(response, 'drain'), closed])
        await mayEnd.promise
        response.end('end')
      },
      { stallSeconds },
    )
    const answer = await ask(port)
    return { answer, mayEnd: mayEnd.resolve, isClosed: () => isClosed }
  }

  test('a client that reads nothing is closed at its deadline, and its upstream request aborted', async () => {
    const { isClosed } = await start()
    await expect.poll(isClosed, { timeout: 10_000 }).toBe(true)
  })

  test('a client that sends requests and reads no response is closed after a while, and its slot released', async () => {
    const { port } = await startGatewayWithUpstream(
      (_request, response) => response.end(Buffer.alloc(60_000)),
      {
        stallSeconds,
        environment: { ...highLimits, UPSTREAM_REQUESTS: '1' },
      },
    )
    const socket = await openSocket(port)
    socket.pause()
    socket.write(get.repeat(100))
    await sleep(stallSeconds * 500)
    await expect.poll(async () => (await ask(port)).statusCode, { timeout: 10_000 }).toBe(200)
  })

  test('200: a client that does not read the end of its response holds no place', async () => {
    const size = 8000
    let answered = 0
    const { port } = await startGatewayWithUpstream(
      (_request, response) => {
        answered++
        response.end(Buffer.alloc(size))
      },
      { environment: { ...highLimits, UPSTREAM_REQUESTS: '1' } },
    )
    const socket = await openSocket(port)
    socket.pause()
    // Until the sockets on the way are full, and the gateway keeps the response.
    let asked = 0
    for (let still = 0, before = -1; still < 3; before = answered) {
      if (asked === answered) {
        socket.write(get.repeat(40))
        asked += 40
      }
      await sleep(200)
      still = before === answered ? still + 1 : 0
    }
    expect(answered).toBeLessThan(asked)
    expect((await ask(port)).statusCode).toBe(200)
    expect(socket.destroyed).toBe(false)
  })

  // A pause that was made up for must not end the answer a minute later.
  test('a client that reads on in time gets the whole response, however long it lasts after that', async () => {
    const { answer, mayEnd } = await start()
    await sleep(stallSeconds * 333)
    let end = ''
    answer.on('data', (bytes: Buffer) => {
      end = bytes.subarray(-3).toString()
    })
    const ended = once(answer, 'end')
    await sleep(stallSeconds * 2000)
    mayEnd()
    await ended
    expect(end).toBe('end')
  })
})

// Node has detached such a socket, so only the gateway can close it.
test.each([
  ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'],
  [
    'a WebSocket',
    `GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\n\r\n`,
  ],
])('a client that was rejected %s holds no socket, though it never closes its own', async (_name, bytes) => {
  const { port, server } = await startGatewayWithUpstream((_request, response) => response.end(), {
    policy: [{ ...closedRow, path: '/socket', websocket: true }],
  })
  const socket = await openSocket(port)
  socket.write(bytes)
  socket.pause()
  await sleep(50)
  socket.write('more')
  const open = () =>
    new Promise((resolve, reject) =>
      server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    )
  expect(await open()).toBe(1)
  await expect.poll(open, { timeout: 8000 }).toBe(0)
})
