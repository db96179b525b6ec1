import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { closedRow, openRow, postRow } from '../../../../test/support/gateway/gateway-harness.ts'
import {
  closeSockets,
  openSocket,
  startGatewayWithUpstream,
} from '../../../../test/support/gateway/sockets.ts'

/** The fast path, and its handover to Node's server. */

/** Requests that reached the upstream. */
const seen: string[] = []
let gatewayWithUpstream: Awaited<ReturnType<typeof startGatewayWithUpstream>>
/** Requests that Node's server was given. */
let byNode = 0

beforeAll(async () => {
  gatewayWithUpstream = await startGatewayWithUpstream(
    (request, response) => {
      const { method, url = '' } = request
      seen.push(`${method} ${url}`)
      response.on('close', () => {
        if (!response.writableFinished) seen.push('left')
      })
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => void chunks.push(chunk))
      request.on('end', async () => {
        const [path, query = ''] = url.split('?')
        const body = Buffer.concat(chunks)
        if (query === 'held') return
        if (query.startsWith('slow')) await sleep(60)
        if (path === '/p/chunked') {
          response.write('one')
          await sleep(20)
          response.end('two')
        } else if (path === '/p/empty') response.writeHead(204).end()
        else if (path === '/p/unchanged') response.writeHead(304, { etag: '"1"' }).end()
        else if (path === '/p/dated') response.setHeader('date', 'Thu, 01 Jan 1970 00:00:00 GMT').end('dated')
        else if (path === '/p/huge') response.end(Buffer.alloc(1_000_000, 'a'))
        else if (query === 'echo') response.end(body)
        else if (path === '/p/json') response.end('{"é":"€"}')
        else
          response
            .setHeader('content-length', 2)
            .end(method === 'HEAD' ? '' : body.length === 0 ? 'ok' : String(body.length).padStart(2, '0'))
      })
    },
    {
      environment: { LIMIT_ADDRESS_REQUESTS: '1000000' },
      policy: [openRow, { ...postRow, body_bytes: 10_000_000 }, closedRow, { ...openRow, path: '/p/{name}' }],
    },
  )
  gatewayWithUpstream.server.on('request', () => byNode++)
})
beforeEach(() => {
  seen.length = 0
  byNode = 0
})
afterAll(closeSockets)

const message = (line: string, ...headers: string[]) => [line, 'Host: x', ...headers, '', ''].join('\r\n')
const get = (target: string, ...headers: string[]) => message(`GET ${target} HTTP/1.1`, ...headers)

/** A client that keeps its connection, and what it has been answered. */
async function openClient() {
  const socket = await openSocket(gatewayWithUpstream.port)
  let received = ''
  socket.setEncoding('latin1').on('data', (bytes: string) => {
    received += bytes
  })

  /** Resolves when as many answers have ended as are awaited. */
  async function answers(count: number, bytes: string | Buffer): Promise<string[]> {
    received = ''
    socket.write(bytes)
    await expect.poll(() => split(received)).toHaveLength(count)
    return split(received)
  }
  return { socket, answers, ask: async (bytes: string) => (await answers(1, bytes))[0] ?? '' }
}

/**
 * The whole answers in a text, by their own lengths. Those to HEAD cannot be told, so none is asked
 * for here.
 */
function split(text: string): string[] {
  const found: string[] = []
  for (let at = 0; at < text.length; ) {
    const headEnd = text.indexOf('\r\n\r\n', at) + 4
    if (headEnd === 3) break
    const head = text.slice(at, headEnd)
    const length = /^content-length: (\d+)/im.exec(head)?.[1]
    const isEmpty = / (204|304) /.test(head.slice(0, 14))
    const end = isEmpty
      ? headEnd
      : length !== undefined
        ? headEnd + Number(length)
        : text.indexOf('0\r\n\r\n', headEnd) === -1
          ? text.length + 1
          : text.indexOf('0\r\n\r\n', headEnd) + 5
    if (end > text.length) break
    found.push(text.slice(at, end))
    at = end
  }
  return found
}

/** An answer without what differs each time, its headers in one order. */
function comparable(answer: string) {
  const [head = '', body] = answer.split('\r\n\r\n', 2)
  const [line, ...headers] = head.split('\r\n')
  const own = /^(date: (?!Thu, 01 Jan 1970)|x-request-id: |ratelimit: )/i
  return {
    line,
    headers: headers
      .filter((field) => !own.test(field))
      .map((field) => field.replace(/^[^:]+/, (name) => name.toLowerCase()))
      .sort(),
    names: headers.map((field) => field.slice(0, field.indexOf(':')).toLowerCase()).sort(),
    body: body?.replace(/"request_id":"[^"]+"/, ''),
  }
}

describe('the response is that of Node’s server', () => {
  test.each([
    ['of a known length', get('/open')],
    ['in chunks', get('/p/chunked')],
    ['without a body', get('/p/empty')],
    ['of one that has not changed', get('/p/unchanged')],
    ['with a date of the upstream', get('/p/dated')],
    ['beyond ASCII', get('/p/json')],
    ['of a megabyte', get('/p/huge')],
    ['refused, 401', get('/closed')],
    ['refused, 404', get('/nowhere')],
    ['refused, 400', get('/open').replace('Host: x', 'Host: a b')],
    ['to a page of another origin', get('/open', 'Origin: https://evil.example')],
  ])('%s', async (_name, bytes) => {
    const plain = await openClient()
    const first = await plain.ask(bytes)
    expect(byNode).toBe(0)
    const handedOver = await openClient()
    await handedOver.ask(message('POST /open HTTP/1.1', 'Content-Length: 0'))
    const second = await handedOver.ask(bytes)
    expect(byNode).toBe(2)
    expect(comparable(first)).toEqual(comparable(second))
    // The connection is as good as before.
    expect(await plain.ask(get('/open'))).toMatch(/\r\n\r\nok$/)
    expect(byNode).toBe(2)
  })

  test('to HEAD: the headers alone', async () => {
    const { socket, ask } = await openClient()
    socket.write(message('HEAD /open HTTP/1.1'))
    const [head] = (await once(socket, 'data')) as [string]
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\ncontent-length: 2\r\n[\s\S]*\r\n\r\n$/)
    socket.write(message('HEAD /nowhere HTTP/1.1'))
    const [refusal] = (await once(socket, 'data')) as [string]
    expect(refusal).toMatch(/^HTTP\/1\.1 404 Not Found\r\n[\s\S]*\r\ncontent-length: \d+\r\n[\s\S]*\r\n\r\n$/)
    expect(await ask(get('/open'))).toMatch(/ok$/)
    expect(byNode).toBe(0)
  })
})

describe('a connection is handed to Node’s server with the first request that the fast path does not accept', () => {
  test.each([
    ['a body', `${message('POST /open HTTP/1.1', 'Content-Length: 4')}body`],
    ['a path of the gateway’s own', get('/live')],
    ['an upgrade that nobody offers', get('/open', 'Connection: Upgrade', 'Upgrade: h2c')],
    ['a method that is not allowed', message('PUT /open HTTP/1.1', 'Content-Length: 0')],
  ])('%s', async (_name, bytes) => {
    const { answers } = await openClient()
    expect(await answers(1, get('/open'))).toHaveLength(1)
    expect(byNode).toBe(0)
    expect(await answers(1, bytes)).toHaveLength(1)
    expect(byNode).toBe(1)
  })

  test('a head in several packets', async () => {
    const { socket, ask } = await openClient()
    const bytes = get('/open')
    for (const byte of bytes.slice(0, -1)) {
      socket.write(byte)
      await sleep(1)
    }
    expect(await ask(bytes.slice(-1))).toMatch(/ok$/)
    expect(byNode).toBe(1)
    expect(await ask(get('/open'))).toMatch(/ok$/)
  })

  test('any request sent before the first has its response is served after it', async () => {
    const { answers } = await openClient()
    const post = `${message('POST /open HTTP/1.1', 'Content-Length: 20')}${'b'.repeat(20)}`
    const received = await answers(4, get('/open?slow1') + get('/open?2') + post + get('/closed'))
    expect(received.map((answer) => answer.slice(9, 12))).toEqual(['200', '200', '200', '401'])
    expect(seen).toEqual(['GET /open?slow1', 'GET /open?2', 'POST /open'])
  })

  test('packets that arrive while the first request is in progress stay in order', async () => {
    // Numbers, so that no piece is like another.
    const body = Array.from({ length: 5000 }, (_, i) => String(i).padStart(8, '0')).join('')
    const behind = Buffer.from(
      message('POST /open?echo HTTP/1.1', `Content-Length: ${body.length}`) + body + get('/open?last'),
    )
    for (const pieceBytes of [100, 1000, 4096, 20_000]) {
      const { socket, answers } = await openClient()
      const answered = answers(3, get('/open?slow'))
      for (let at = 0; at < behind.length; at += pieceBytes) {
        socket.write(behind.subarray(at, at + pieceBytes))
        if (at < 20 * pieceBytes) await setImmediate()
      }
      const [, echoed, last] = await answered
      expect(echoed?.endsWith(`\r\n\r\n${body}`)).toBe(true)
      expect(last).toMatch(/ok$/)
    }
  })

  test('a large body that arrives during the handover, and the data behind it, stay in order', async () => {
    const body = Array.from({ length: 250_000 }, (_, i) => String(i).padStart(8, '0')).join('')
    const { answers } = await openClient()
    const bytes =
      message('POST /open?echo HTTP/1.1', `Content-Length: ${body.length}`) + body + get('/open?last')
    const [, echoed, last] = [await answers(1, get('/open')), ...(await answers(2, bytes))].flat()
    expect(echoed?.endsWith(`\r\n\r\n${body}`)).toBe(true)
    expect(last).toMatch(/ok$/)
  })
})

test.each([
  ['more than 64 KiB', [message('POST /open HTTP/1.1', 'Content-Length: 100000') + 'b'.repeat(100_000)]],
  ['very many small pieces', Array.from({ length: 200 }, () => 'b')],
])('%s behind a request in progress is not acted on: the connection is closed', async (_name, pieces) => {
  const { socket } = await openClient()
  socket.setNoDelay(true)
  socket.write(get('/open?held'))
  await expect.poll(() => seen, { interval: 1 }).toHaveLength(1)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  for (const piece of pieces) {
    socket.write(piece)
    await setImmediate()
  }
  await closed
  await expect.poll(() => seen).toEqual(['GET /open?held', 'left'])
})

test('200: the next request of a connection gets the slot of the one before it', async () => {
  const own = await startGatewayWithUpstream(
    (_request, response) => void setTimeout(() => response.end('ok'), 20),
    { environment: { UPSTREAM_REQUESTS: '1', LIMIT_ADDRESS_REQUESTS: '1000000' } },
  )
  const socket = await openSocket(own.port)
  socket.write(get('/open'))
  await sleep(5)
  socket.write(get('/open'))
  await sleep(5)
  socket.write(get('/open', 'Connection: close'))
  expect((await text(socket)).match(/HTTP\/1\.1 \d+/g)).toEqual(Array(3).fill('HTTP/1.1 200'))
})

describe('the end of a connection', () => {
  test('a client that leaves aborts its upstream request', async () => {
    const { socket } = await openClient()
    socket.write(get('/open?held'))
    await expect.poll(() => seen, { interval: 1 }).toHaveLength(1)
    socket.destroy()
    await expect.poll(() => seen).toEqual(['GET /open?held', 'left'])
  })

  test('a client that half-closes its connection has left, as with Node’s server', async () => {
    const { socket } = await openClient()
    socket.write(get('/open?held'))
    await expect.poll(() => seen, { interval: 1 }).toHaveLength(1)
    socket.end()
    await expect.poll(() => seen).toEqual(['GET /open?held', 'left'])
  })

  test('an instance that is stopping sends Connection: close with its next response, and closes', async () => {
    const { socket, answers } = await openClient()
    await answers(1, get('/open'))
    gatewayWithUpstream.setStopping(true)
    try {
      const end = once(socket, 'close')
      const [answer] = await answers(1, get('/open'))
      expect(answer).toMatch(/\r\nconnection: close\r\n/i)
      await end
    } finally {
      gatewayWithUpstream.setStopping(false)
    }
  })
})

test('a server that closes ends idle connections at once, others after their response', async () => {
  const own = await startGatewayWithUpstream(
    (_request, response) => void setTimeout(() => response.end('ok'), 50),
    {
      policy: [openRow],
    },
  )
  const [idle, silent, busy] = [
    await openSocket(own.port),
    await openSocket(own.port),
    await openSocket(own.port),
  ]
  idle.write(get('/open'))
  await once(idle, 'data')
  busy.write(get('/open?1'))
  await sleep(10)
  busy.write(get('/open?2'))
  await sleep(10)
  const closed = once(own.server, 'close')
  own.server.close()
  const [left, never, answered] = await Promise.all([idle, silent, busy].map((socket) => text(socket)))
  expect([left, never]).toEqual(['', ''])
  expect(answered?.match(/HTTP\/1\.1 200/g)).toHaveLength(2)
  await closed
})
