import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { createServer as createRawServer } from 'node:net'
import { json, text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import type { RateLimitStore } from '../../gateway/ports.ts'
import { createMemoryStore } from '../../gateway/rate-limit/memory-store.ts'
import {
  ask,
  bodyOf,
  closeSockets,
  exchange,
  listen,
  openSocket,
  startGateway,
  startPair,
  statusOf,
} from '../support/sockets.ts'
import { closedRow, openRow, postRow } from '../support/stand.ts'

afterEach(closeSockets)

const get = 'GET /open HTTP/1.1\r\nHost: x\r\n\r\n'
const roomy = { LIMIT_ADDRESS_REQUESTS: '1000000' }

/** An upstream that answers when it is told to. */
function createHeldUpstream() {
  const held: ServerResponse[] = []
  return {
    held,
    listener: (_request: IncomingMessage, response: ServerResponse) => void held.push(response),
    release() {
      for (const response of held.splice(0)) response.end('ok')
    },
  }
}

describe('requests under way', () => {
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

  // Each would else hold its place for good, and the last one close the upstream to everybody.
  test('200: those who left while they were counted, gathered or answered hold no place', async () => {
    const released = Promise.withResolvers<void>()
    const memory = createMemoryStore({ shared: true, now: Date.now })
    const rateLimitStore: RateLimitStore = {
      async consume(takes) {
        await released.promise
        return memory.consume(takes)
      },
    }
    const upstream = createHeldUpstream()
    const { port, server } = await startPair(upstream.listener, {
      rateLimitStore,
      environment: { ...roomy, UPSTREAM_REQUESTS: '3' },
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
    const { port } = await startPair(
      (incoming, response) => incoming.resume().on('end', () => response.end('ok')),
      {
        environment: { ...roomy, UPSTREAM_REQUESTS: '2' },
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

  // A second bound below the configured one would have requests wait in line for streams that last
  // for hours.
  test('503 overloaded: at once beyond UPSTREAM_REQUESTS, and up to there each has its connection', async () => {
    const upstream = createHeldUpstream()
    const environment = { ...roomy, UPSTREAM_REQUESTS: '400' }
    const { port } = await startPair(upstream.listener, { environment })
    const answers = Array.from({ length: 400 }, () => ask(port))
    await expect.poll(() => upstream.held.length, { timeout: 5000 }).toBe(400)
    const startedAt = performance.now()
    const refused = await ask(port)
    expect(performance.now() - startedAt).toBeLessThan(1000)
    expect(refused.headers['retry-after']).toBe('1')
    expect(await json(refused)).toMatchObject({ status: 503, code: 'overloaded' })
    upstream.release()
    for (const answer of answers) expect((await answer).statusCode).toBe(200)
  })
})

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
    const { port } = await startPair((_request, response) => response.end('ok'), {
      deadlines,
      environment: roomy,
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
    const { port } = await startPair(
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

  test('a connection on which nothing is asked ends too', async () => {
    const { port } = await startPair((_request, response) => response.end(), { deadlines })
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
    const { port } = await startPair(
      async (_request, response) => {
        response.on('close', () => {
          isClosed = true
        })
        for (let i = 0; i < 4000 && !isClosed; i++)
          if (!response.write(Buffer.alloc(8192)))
            await Promise.race([once(response, 'drain'), once(response, 'close')])
        await mayEnd.promise
        response.end('end')
      },
      { stallSeconds },
    )
    const answer = await ask(port)
    return { answer, mayEnd: mayEnd.resolve, isClosed: () => isClosed }
  }

  test('who takes nothing is left after a while, and the upstream with them', async () => {
    const { isClosed } = await start()
    await expect.poll(isClosed, { timeout: 10_000 }).toBe(true)
  })

  test('who asks and asks and takes nothing is left after a while, and its place is free', async () => {
    const { port } = await startPair((_request, response) => response.end(Buffer.alloc(60_000)), {
      stallSeconds,
      environment: { ...roomy, UPSTREAM_REQUESTS: '1' },
    })
    const socket = await openSocket(port)
    socket.pause()
    socket.write(get.repeat(100))
    await sleep(stallSeconds * 500)
    await expect.poll(async () => (await ask(port)).statusCode, { timeout: 10_000 }).toBe(200)
  })

  test('200: a client that does not read the end of its response holds no place', async () => {
    const size = 8000
    let answered = 0
    const { port } = await startPair(
      (_request, response) => {
        answered++
        response.end(Buffer.alloc(size))
      },
      { environment: { ...roomy, UPSTREAM_REQUESTS: '1' } },
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
  test('who goes on in time has the whole answer, however long it lasts after that', async () => {
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

// Node has let go of such a socket: nobody else would ever close it.
test.each([
  ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'],
  [
    'a WebSocket',
    `GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\n\r\n`,
  ],
])('a client that was refused %s holds no socket, though it never closes its own', async (_name, bytes) => {
  const { port, server } = await startPair((_request, response) => response.end(), {
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

describe('huge bodies', () => {
  const total = 200 * 1024 ** 2
  const piece = Buffer.alloc(64 * 1024, 'gatehouse')
  /**
   * What sockets and streams on the way may hold; a body that is held whole is several times that.
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

  test('200: 200 MB to an upstream, which takes them as slowly as it likes', {
    timeout: 60_000,
  }, async () => {
    const mayRead = Promise.withResolvers<void>()
    let received = 0
    const { port } = await startPair(
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

  test('200: 200 MB to a client, which takes them as slowly as it likes', { timeout: 60_000 }, async () => {
    let sent = 0
    const { port } = await startPair(
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
    const { port } = await startPair((_request, response) => response.end())
    for (let i = 0; i < 20; i++) {
      const socket = await openSocket(port)
      socket.write('POST /open HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n')
      socket.write(Buffer.alloc(2_000_000))
      await sleep(20)
      expect(statusOf(await text(socket))).toBe(413)
    }
  })
})

describe('connections kept to an upstream', () => {
  // A request on a connection that its upstream closes at this moment is lost: it cannot be known
  // whether it was acted on, so it is not sent again.
  test('200: 300 POSTs around the idle time of the upstream, none lost, none twice', async () => {
    const idleMs = 400
    const orders = new Map<string, number>()
    const upstream = createServer(async (incoming, response) => {
      const order = await text(incoming)
      orders.set(order, (orders.get(order) ?? 0) + 1)
      response.end()
    })
    // Node's own server would say in each answer how long it waits.
    upstream.keepAliveTimeout = 0
    upstream.on('connection', (socket) => socket.setTimeout(idleMs, () => socket.destroy()))
    const { port } = await startGateway({
      upstreamPort: await listen(upstream),
      pools: { keepAliveMs: idleMs - 200 },
      environment: roomy,
    })
    const agent = new Agent({ keepAlive: true })
    const post = async (body: string) => {
      const asked = request({ port, host: '127.0.0.1', method: 'POST', path: '/open', agent })
      asked.end(body)
      const [answer] = (await once(asked, 'response')) as [IncomingMessage]
      answer.resume()
      return answer.statusCode
    }
    const statuses = await Promise.all(
      Array.from({ length: 300 }, async (_, i) => {
        await post(`first ${i}`)
        await sleep(idleMs - 250 + i)
        return post(`order ${i}`)
      }),
    )
    agent.destroy()
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(orders.size).toBe(600)
    expect(new Set(orders.values())).toEqual(new Set([1]))
  })
})

describe('answers that try to be two', () => {
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

  test('what an upstream sends after its answer is no answer to the next request', async () => {
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
