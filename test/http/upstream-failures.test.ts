import { once } from 'node:events'
import { request } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { findFreePort } from '../../tools/servers/process/free-port.ts'
import { openRow } from '../support/gateway/gateway-harness.ts'
import { problemOf, startRawUpstream } from '../support/gateway/raw-upstream.ts'
import {
  ask,
  closeSockets,
  exchange,
  listen,
  openSocket,
  startGateway,
  startGatewayWithUpstream,
} from '../support/gateway/sockets.ts'

// @hono/node-server prints what cut a body short; the tests mean to cut it.
beforeEach(() => {
  vi.spyOn(console, 'error').mockImplementation(() => {})
})
afterEach(async () => {
  vi.restoreAllMocks()
  await closeSockets()
})

describe('an upstream that cannot be reached', () => {
  test('502 upstream_unreachable: refuses the connection; with Retry-After', async () => {
    const { port } = await startGateway({ upstreamPort: await findFreePort() })
    const { status, headers, body } = await problemOf(port)
    expect(status).toBe(502)
    expect(headers['retry-after']).toBe('1')
    expect(headers['content-type']).toBe('application/problem+json')
    expect(body).toMatchObject({ status: 502, code: 'upstream_unreachable' })
    // The response must not reveal the upstream's address.
    expect(JSON.stringify(body)).not.toMatch(/127\.0\.0\.1|ECONN/)
  })

  test('502 upstream_unreachable: closes or resets before its response, or sends malformed HTTP', async () => {
    for (const act of [
      (socket: Socket) => socket.end(),
      (socket: Socket) => socket.resetAndDestroy(),
      (socket: Socket) => socket.end('SSH-2.0-OpenSSH\r\n'),
      (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n'),
    ]) {
      const { upstreamPort } = await startRawUpstream(act)
      const { port } = await startGateway({ upstreamPort })
      expect((await problemOf(port)).body).toMatchObject({ status: 502, code: 'upstream_unreachable' })
    }
  })

  // The first may have been acted on although its answer was lost: sent again it would be a second
  // order.
  test('502: a POST is sent once, even where the upstream resets the connection', async () => {
    const { upstreamPort, count } = await startRawUpstream((socket) => socket.resetAndDestroy())
    const { port } = await startGateway({ upstreamPort })
    expect((await problemOf(port, { method: 'POST', body: 'order' })).status).toBe(502)
    expect(count()).toBe(1)
  })

  test('502: a POST is sent once, even on a kept connection that closes under it', async () => {
    const { upstreamPort, count } = await startRawUpstream((socket, count) =>
      count === 1 ? socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n') : socket.destroy(),
    )
    const { port } = await startGateway({ upstreamPort })
    expect((await ask(port, { method: 'POST', body: 'one' })).statusCode).toBe(200)
    expect((await problemOf(port, { method: 'POST', body: 'two' })).status).toBe(502)
    expect(count()).toBe(2)
  })

  test('200 again as soon as it listens', async () => {
    const upstreamPort = await findFreePort()
    const { port } = await startGateway({ upstreamPort })
    expect((await problemOf(port)).status).toBe(502)
    const upstream = createServer((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\nx')),
    )
    upstream.listen(upstreamPort, '127.0.0.1')
    await once(upstream, 'listening')
    expect((await ask(port)).statusCode).toBe(200)
    upstream.close()
  })
})

describe('an upstream that is cut in the middle of its body', () => {
  const halves = {
    'of a stated length': 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf',
    'in chunks': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n',
  }
  const cuts = {
    closed: (socket: Socket, half: string) => socket.write(half, () => socket.end()),
    reset: (socket: Socket, half: string) => socket.write(half, () => socket.resetAndDestroy()),
    'closed in the same packet': (socket: Socket, half: string) => socket.end(half),
  }

  // A clean end would have the client take half an answer for a whole one, and a cache keep it.
  for (const [form, half] of Object.entries(halves))
    for (const [how, cut] of Object.entries(cuts))
      test(`the client sees an abort, not a clean end: ${form}, ${how}`, async () => {
        const { upstreamPort } = await startRawUpstream((socket) => cut(socket, half))
        const { port } = await startGateway({ upstreamPort })
        const wire = await exchange(port, 'GET /open HTTP/1.1\r\nHost: x\r\n\r\n')
        expect(wire).not.toContain('\r\n0\r\n')
        expect(wire).not.toMatch(/Error|ECONN|closed/)

        const asked = request({ port, host: '127.0.0.1', path: '/open', agent: false }).end()
        const outcome = await new Promise((resolve) => {
          asked.on('error', () => resolve('aborted'))
          asked.on('response', (answer) => {
            answer.on('error', () => resolve('aborted')).on('end', () => resolve('ended cleanly'))
            answer.resume()
          })
        })
        expect(outcome).toBe('aborted')
      })

  test('so does one that falls silent', async () => {
    const { upstreamPort } = await startRawUpstream((socket) => socket.write(halves['in chunks']))
    const { port } = await startGateway({ upstreamPort, policy: [{ ...openRow, idle_seconds: 0.1 }] })
    const answer = await ask(port)
    await expect(answer.resume().toArray()).rejects.toThrow()
  })
})

describe('a client that leaves', () => {
  test('cancels the request while the upstream is silent', async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>()
    let asked = false
    const { port } = await startGatewayWithUpstream((_request, response) => {
      asked = true
      response.on('close', resolve)
    })
    const socket = await openSocket(port)
    socket.write('GET /open HTTP/1.1\r\nHost: x\r\n\r\n')
    await expect.poll(() => asked).toBe(true)
    socket.destroy()
    await closed
  })

  test('cancels the response while it streams', async () => {
    const { promise: closed, resolve } = Promise.withResolvers<{ isWhole: boolean }>()
    const { port } = await startGatewayWithUpstream((_request, response) => {
      response.write('first')
      response.on('close', () => resolve({ isWhole: response.writableFinished }))
    })
    const answer = await ask(port)
    await once(answer, 'data')
    answer.destroy()
    expect(await closed).toEqual({ isWhole: false })
  })
})

// A connection kept too long may be closed by its upstream just as it is used; reading again
// changes nothing.
test('200: a GET whose connection broke before a response began is sent once more', async () => {
  const { upstreamPort, count } = await startRawUpstream((socket, count) =>
    count === 1 ? socket.resetAndDestroy() : socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
  )
  const { port } = await startGateway({ upstreamPort })
  expect((await ask(port)).statusCode).toBe(200)
  expect(count()).toBe(2)
})

/**
 * An upstream whose connections are all gone at one moment, as behind a balancer that was replaced:
 * new ones are good.
 */
async function startStaleUpstream(idle: number) {
  const sockets = new Set<Socket>()
  const waiting: Socket[] = []
  const requests: string[] = []
  const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (data) => {
      requests.push(String(data).split('\r\n', 1)[0] as string)
      if (sockets.has(socket)) socket.resetAndDestroy()
      else if (sockets.size === idle) socket.write(ok)
      else if (waiting.push(socket) === idle)
        for (const one of waiting) {
          one.write(ok)
          sockets.add(one)
        }
    })
  })
  const gateway = await startGateway({ upstreamPort: await listen(server) })
  const answers = await Promise.all(Array.from({ length: idle }, () => ask(gateway.port)))
  for (const answer of answers) expect(await text(answer)).toBe('ok')
  return { ...gateway, requests }
}

// The next idle connection is as dead as the one before it.
test('200: a GET is sent once more on a new connection, however many stale ones are idle', async () => {
  const { port, requests } = await startStaleUpstream(3)
  expect((await ask(port)).statusCode).toBe(200)
  expect(requests).toHaveLength(3 + 2)
})

test('502: a POST on a stale connection is not sent again on a new one', async () => {
  const { port, requests } = await startStaleUpstream(3)
  expect((await problemOf(port, { method: 'POST', body: 'order' })).status).toBe(502)
  expect(requests.filter((line) => line.startsWith('POST'))).toHaveLength(1)
})

test('502: and no more than once', async () => {
  const { upstreamPort, count } = await startRawUpstream((socket) => socket.resetAndDestroy())
  const { port } = await startGateway({ upstreamPort })
  expect((await problemOf(port)).status).toBe(502)
  expect(count()).toBe(2)
})
