import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { closedRow, openRow, postRow } from '../support/gateway/gateway-harness.ts'
import {
  bodyOf,
  closeSockets,
  exchange,
  openSocket,
  startGatewayWithUpstream,
} from '../support/gateway/sockets.ts'

/** Requests of one connection that come in one piece. */

/** Requests at the upstream: a line when each begins, and one when its body has ended. */
const seen: string[] = []
let gatewayWithUpstream: Awaited<ReturnType<typeof startGatewayWithUpstream>>

beforeAll(async () => {
  gatewayWithUpstream = await startGatewayWithUpstream(
    async (request, response) => {
      seen.push(`${request.method} ${request.url}`)
      const body = await text(request)
      await sleep(30)
      seen.push(`end ${request.url}${body}`)
      response.end(request.url)
    },
    {
      environment: { LIMIT_ADDRESS_REQUESTS: '1000000' },
      policy: [openRow, postRow, closedRow, { ...openRow, path: '/socket', websocket: true }],
    },
  )
})
beforeEach(() => {
  seen.length = 0
})
afterAll(closeSockets)

const host = 'Host: api.example.com'
const message = (line: string, ...headers: string[]) => [line, host, ...headers, '', ''].join('\r\n')
const get = (target: string, ...headers: string[]) => message(`GET ${target} HTTP/1.1`, ...headers)
const last = get('/closed', 'Connection: close')
const statusesIn = (answers: string) => [...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)

test('each begins when the one before has its response, in the order of arrival', async () => {
  const answers = await exchange(
    gatewayWithUpstream.port,
    get('/open?1') + get('/open?2') + get('/open?3') + last,
  )
  expect(statusesIn(answers)).toEqual(['200', '200', '200', '401'])
  expect(seen).toEqual([1, 2, 3].flatMap((n) => [`GET /open?${n}`, `end /open?${n}`]))
})

test('bodies go with their requests', async () => {
  const one = `${message('POST /open HTTP/1.1', 'Content-Length: 4')} one`
  const two = `${message('POST /open HTTP/1.1', 'Transfer-Encoding: chunked')}4\r\n two\r\n0\r\n\r\n`
  const answers = await exchange(gatewayWithUpstream.port, one + two + last)
  expect(statusesIn(answers)).toEqual(['200', '200', '401'])
  expect(seen).toEqual(['POST /open', 'end /open one', 'POST /open', 'end /open two'])
})

test.each([
  ['nothing of HTTP', 'garbage\r\n\r\n', '400'],
  ['another version', 'GET /open HTTP/2.0\r\n\r\n', '505'],
])('%s behind a request is rejected after its response', async (_name, bytes, status) => {
  const answers = await exchange(gatewayWithUpstream.port, get('/open') + bytes)
  expect(statusesIn(answers)).toEqual(['200', status])
})

// Twenty bytes of a request become some kilobytes here.
test('a hundred may wait; with one more the connection is cut', async () => {
  const many = (count: number) =>
    exchange(gatewayWithUpstream.port, get('/open') + get('/nowhere').repeat(count - 1) + last)
  expect(statusesIn(await many(100))).toHaveLength(101)
  expect(await many(101)).toBe('')
  await expect.poll(() => seen.filter((line) => line === 'end /open')).toHaveLength(2)
})

describe('behind a response that ends the connection nothing is acted on (RFC 9112, section 9.6)', () => {
  test('a rejection whose body is not read', async () => {
    const answers = await exchange(
      gatewayWithUpstream.port,
      message('PUT /open HTTP/1.1', 'Transfer-Encoding: chunked') +
        '4\r\nbody\r\n0\r\n\r\n' +
        message('POST /open HTTP/1.1', 'Content-Length: 0'),
    )
    expect(statusesIn(answers)).toEqual(['405'])
    await sleep(100)
    expect(seen).toEqual([])
  })

  test('an unsupported Expect', async () => {
    const answers = await exchange(gatewayWithUpstream.port, get('/open', 'Expect: miracles') + get('/open'))
    expect(statusesIn(answers)).toEqual(['417'])
    await sleep(100)
    expect(seen).toEqual([])
  })

  test('HTTP/1.0, also where its client would keep the connection', async () => {
    const old = message('GET /open HTTP/1.0', 'Connection: keep-alive')
    const answers = await exchange(gatewayWithUpstream.port, old + old)
    expect(statusesIn(answers)).toEqual(['200'])
    expect(seen).toEqual(['GET /open', 'end /open'])
  })

  test('a request with Connection: close gets its response', async () => {
    const answers = await exchange(
      gatewayWithUpstream.port,
      get('/open', 'Connection: close') + get('/open?2'),
    )
    expect(statusesIn(answers)).toEqual(['200'])
    expect(bodyOf(answers)).toBe('/open')
    expect(seen).toEqual(['GET /open', 'end /open'])
  })

  test('a request with Connection: close gets its response, whatever follows it in several packets', async () => {
    const socket = await openSocket(gatewayWithUpstream.port)
    socket.write(get('/open', 'Connection: close'))
    let answers = ''
    const done = (async () => {
      for await (const chunk of socket) answers += chunk
    })()
    for (let pieces = 0; pieces < 3; pieces++) {
      socket.write(get('/open?2'))
      await sleep(5)
    }
    await done
    expect(statusesIn(answers)).toEqual(['200'])
    expect(seen).toEqual(['GET /open', 'end /open'])
  })

  test('the next response of an instance that is stopping', async () => {
    const socket = await openSocket(gatewayWithUpstream.port)
    socket.write(get('/open?1') + get('/open?2') + get('/open?3'))
    await expect.poll(() => seen, { interval: 1 }).toEqual(['GET /open?1'])
    gatewayWithUpstream.setStopping(true)
    expect(statusesIn(await text(socket))).toEqual(['200', '200'])
    expect(seen.filter((line) => line.startsWith('GET'))).toEqual(['GET /open?1', 'GET /open?2'])
    gatewayWithUpstream.setStopping(false)
  })

  test('a client that leaves meanwhile', async () => {
    const socket = await openSocket(gatewayWithUpstream.port)
    socket.write(get('/open?1') + get('/open?2'))
    await expect.poll(() => seen, { interval: 1 }).toEqual(['GET /open?1'])
    socket.destroy()
    await sleep(150)
    expect(seen).not.toContain('GET /open?2')
  })
})

describe('requests that end HTTP on the socket', () => {
  test('CONNECT behind a request ends the connection, without a rejection in place of its response', async () => {
    expect(
      await exchange(gatewayWithUpstream.port, get('/open') + message('CONNECT 127.0.0.1:22 HTTP/1.1')),
    ).toBe('')
    await sleep(100)
  })

  // Node removes its listeners from such a socket, and an unhandled error event ends the process.
  test.each(['', get('/open')])(
    'a client that resets after CONNECT has no effect on others: %j before it',
    async (before) => {
      for (let tries = 0; tries < 20; tries++) {
        const socket = await openSocket(gatewayWithUpstream.port)
        socket.write(before + message('CONNECT 127.0.0.1:22 HTTP/1.1'))
        await sleep(tries % 4)
        socket.resetAndDestroy()
      }
      expect(statusesIn(await exchange(gatewayWithUpstream.port, last))).toEqual(['401'])
    },
  )

  test('a WebSocket handshake behind another request is not upgraded: it is served as a plain request, and last', async () => {
    const handshake = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
    const answers = await exchange(
      gatewayWithUpstream.port,
      get('/open') +
        get('/socket', ...handshake, `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`),
    )
    expect(statusesIn(answers)).toEqual(['200', '200'])
    expect(answers.match(/\r\nconnection: close\r\n/gi)).toHaveLength(1)
    expect(seen.slice(0, 3)).toEqual(['GET /open', 'end /open', 'GET /socket'])
  })
})
