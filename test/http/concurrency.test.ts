import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import { createServer as createRawServer } from 'node:net'
import { json, text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import type { RateLimitStore } from '../../gateway/ports.ts'
import { createMemoryStore } from '../../gateway/rate-limit/memory-store.ts'
import { openRow, postRow } from '../support/gateway/gateway-harness.ts'
import { createHeldUpstream } from '../support/gateway/held-upstream.ts'
import {
  ask,
  closeSockets,
  exchange,
  listen,
  openSocket,
  startGateway,
  startGatewayWithUpstream,
  statusOf,
} from '../support/gateway/sockets.ts'

afterEach(closeSockets)

const get = 'GET /open HTTP/1.1\r\nHost: x\r\n\r\n'
const highLimits = { LIMIT_ADDRESS_REQUESTS: '1000000' }

describe('requests in progress', () => {
  test('503 overloaded: beyond the cap of one upstream, with Retry-After; another upstream is unaffected', async () => {
    const slow = createHeldUpstream()
    const quickPort = await listen(createServer((_request, response) => response.end('quick')))
    const slowPort = await listen(createServer(slow.listener))
    const { port } = await startGateway({
      upstreamPort: slowPort,
      policy: [openRow, { ...openRow, path: '/quick', upstream: 'quick' }],
      environment: {
        UPSTREAMS: JSON.stringify({
          reports: `http://127.0.0.1:${slowPort}`,
          quick: `http://127.0.0.1:${quickPort}`,
        }),
        UPSTREAM_REQUESTS: '2',
      },
    })
    const waiting = [ask(port), ask(port)]
    await expect.poll(() => slow.held.length).toBe(2)
    const refused = await ask(port)
    expect(refused.statusCode).toBe(503)
    expect(refused.headers['retry-after']).toBe('1')
    expect(await json(refused)).toMatchObject({ code: 'overloaded' })
    expect((await ask(port, { path: '/quick' })).statusCode).toBe(200)
    slow.release()
    for (const answer of waiting) expect((await answer).statusCode).toBe(200)
    const next = ask(port)
    await expect.poll(() => slow.held.length).toBe(1)
    slow.release()
    expect((await next).statusCode).toBe(200)
  })

  // Each would otherwise hold its place for ever, and the last one would block the upstream for all
  // callers.
  test('200: clients that left during counting, the body or the response hold no slot', async () => {
    const released = Promise.withResolvers<void>()
    const memory = createMemoryStore({ shared: true, now: Date.now })
    const rateLimitStore: RateLimitStore = {
      async consume(takes) {
        await released.promise
        return memory.consume(takes)
      },
    }
    const upstream = createHeldUpstream()
    const { port, server } = await startGatewayWithUpstream(upstream.listener, {
      rateLimitStore,
      environment: { ...highLimits, UPSTREAM_REQUESTS: '3' },
    })
    const open = async () =>
      new Promise((resolve, reject) =>
        server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
      )

    const left = await Promise.all(Array.from({ length: 5 }, () => openSocket(port)))
    for (const socket of left) socket.write(get)
    await sleep(50)
    for (const socket of left) socket.destroy()
    await expect.poll(open).toBe(0)
    released.resolve()

    for (const bytes of [get, get, get, 'POST /open HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf']) {
      const socket = await openSocket(port)
      socket.write(bytes)
      if (bytes === get) await expect.poll(() => upstream.held.length).toBe(1)
      socket.destroy()
      await expect.poll(open).toBe(0)
      upstream.held.length = 0
    }

    const answers = Array.from({ length: 3 }, () => ask(port))
    await expect.poll(() => upstream.held.length).toBe(3)
    upstream.release()
    for (const answer of answers) expect((await answer).statusCode).toBe(200)
  })

  test('200: clients that send their bodies slowly hold no place', async () => {
    const { port } = await startGatewayWithUpstream(
      (incoming, response) => incoming.resume().on('end', () => response.end('ok')),
      {
        environment: { ...highLimits, UPSTREAM_REQUESTS: '2' },
      },
    )
    for (let i = 0; i < 4; i++) {
      const socket = await openSocket(port)
      socket.write('POST /open HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n')
      expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1.1 100 /)
    }
    expect((await ask(port)).statusCode).toBe(200)
    expect((await ask(port, { method: 'POST', body: '{}' })).statusCode).toBe(200)
  })
})

describe('huge bodies', () => {
  const total = 200 * 1024 ** 2
  const piece = Buffer.alloc(64 * 1024, 'gatehouse')
  /**
   * Most bytes that sockets and streams on the way may hold; a whole body is several times that.
   */
  const onTheWay = 64 * 1024 ** 2
  const policy = [openRow, { ...postRow, body_bytes: 1024 ** 3, deadline_seconds: 300 }]

  /** Writes until the whole is written, no faster than it is taken. */
  async function pour(into: NodeJS.WritableStream, count: (bytes: number) => void) {
    for (let sent = 0; sent < total; sent += piece.length) {
      count(piece.length)
      if (!into.write(piece)) await once(into, 'drain')
    }
    into.end()
  }

  test('200: 200 MB to a slow upstream, in bounded memory', {
    timeout: 60_000,
  }, async () => {
    const mayRead = Promise.withResolvers<void>()
    let received = 0
    const { port } = await startGatewayWithUpstream(
      async (incoming, response) => {
        await mayRead.promise
        for await (const chunk of incoming) received += chunk.length
        response.end('done')
      },
      { policy },
    )
    let sent = 0
    const asked = request({ port, host: '127.0.0.1', method: 'POST', path: '/open', agent: false })
    const poured = pour(asked, (bytes) => {
      sent += bytes
    })
    await untilStill(() => sent)
    expect(sent).toBeLessThan(onTheWay)
    mayRead.resolve()
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    await poured
    expect(answer.statusCode).toBe(200)
    expect(received).toBe(total)
  })

  test('200: 200 MB to a slow client, in bounded memory', { timeout: 60_000 }, async () => {
    let sent = 0
    const { port } = await startGatewayWithUpstream(
      (_request, response) =>
        void pour(response, (bytes) => {
          sent += bytes
        }),
      { policy },
    )
    const answer = await ask(port)
    await untilStill(() => sent)
    expect(sent).toBeLessThan(onTheWay)
    let received = 0
    for await (const chunk of answer) received += chunk.length
    expect(received).toBe(total)
  })

  /** Resolves when a figure has stopped to grow. */
  async function untilStill(figure: () => number) {
    for (let before = -1; figure() !== before || before === 0; ) {
      before = figure()
      await sleep(300)
    }
  }

  // A close with bytes unread is a reset, which overtakes the answer that says why.
  test('413 body_too_large reaches a client that has sent its whole body before it listens', async () => {
    const { port } = await startGatewayWithUpstream((_request, response) => response.end())
    for (let i = 0; i < 20; i++) {
      const socket = await openSocket(port)
      socket.write('POST /open HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n')
      socket.write(Buffer.alloc(2_000_000))
      await sleep(20)
      expect(statusOf(await text(socket))).toBe(413)
    }
  })
})

describe('responses that contain a second one', () => {
  const splits = {
    'a bare carriage return in a field': 'X-A: a\rSet-Cookie: b=c',
    'a null in a field': 'X-A: a\0b',
    'two lengths': 'Content-Length: 2\r\nContent-Length: 3',
    'a length and chunks': 'Content-Length: 2\r\nTransfer-Encoding: chunked',
    'a folded line': 'X-A: a\r\n b',
    'a space before the colon': 'Transfer-Encoding : chunked',
  }
  for (const [name, field] of Object.entries(splits))
    test(`502 upstream_unreachable, and nothing of it to the client: ${name}`, async () => {
      const upstreamPort = await listen(
        createRawServer((socket) => {
          socket.on('error', () => {})
          socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\n${field}\r\nConnection: close\r\n\r\nok`))
        }),
      )
      const { port } = await startGateway({ upstreamPort })
      const answer = await exchange(port, get.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))
      expect(statusOf(answer)).toBe(502)
      expect(answer).not.toMatch(/set-cookie|x-a:/i)
    })

  test('bytes that an upstream sends after its response are no response to the next request', async () => {
    const upstreamPort = await listen(
      createRawServer((socket) => {
        socket.on('error', () => {})
        socket.on('data', () =>
          socket.write(
            'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret',
          ),
        )
      }),
    )
    const { port } = await startGateway({ upstreamPort })
    for (let i = 0; i < 5; i++) expect(await text(await ask(port))).toBe('ok')
  })
})
