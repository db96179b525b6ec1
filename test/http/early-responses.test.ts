import { createServer } from 'node:http'
import { createServer as createRawServer } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { closedRow, openRow, postRow } from '../support/gateway/gateway-harness.ts'
import {
  ask,
  bodyOf,
  closeSockets,
  exchange,
  listen,
  startGateway,
  startGatewayWithUpstream,
  statusOf,
  writeThenRead,
} from '../support/gateway/sockets.ts'

/**
 * A response that ends the connection while its request's body is still arriving reaches a client
 * that writes all of it first (RFC 9112, section 9.6). A plain close would reset the connection,
 * and the client would never learn that its token has expired.
 */

afterEach(closeSockets)

const body = Buffer.alloc(20 * 1024 ** 2)
const head = (line: string, ...headers: string[]) => [line, 'Host: x', ...headers, '', ''].join('\r\n')
const length = `Content-Length: ${body.length}`
const largeRow = { ...postRow, body_bytes: 2 * body.length }
const closedPost = { ...closedRow, method: 'POST' as const, body_bytes: 2 * body.length }
const policy = [openRow, largeRow, closedPost, { ...postRow, path: '/small' }]

/** Refused before the upstream is asked. */
const refusals: [status: number, code: string, head: string][] = [
  [401, 'token_missing', head('POST /closed HTTP/1.1', length)],
  [401, 'invalid_token', head('POST /closed HTTP/1.1', length, 'Authorization: Bearer a.b.c')],
  [404, 'not_found', head('POST /nowhere HTTP/1.1', length)],
  [405, 'method_not_allowed', head('PUT /open HTTP/1.1', length)],
  [413, 'body_too_large', head('POST /small HTTP/1.1', length)],
  [417, 'expectation_failed', head('POST /open HTTP/1.1', length, 'Expect: miracles')],
  [431, 'too_many_fields', head('POST /open HTTP/1.1', length, `X-A: ${'a'.repeat(17_000)}`)],
  [400, 'bad_request', head('POST /open HTTP/1.1', length, 'Transfer-Encoding: chunked')],
  [400, 'bad_request', `${head('POST /open HTTP/1.1', 'Transfer-Encoding: chunked')}no size\r\n`],
  [505, 'http_version_not_supported', head('POST /open HTTP/2.0', length)],
]

describe('a rejection reaches a client that writes 20 MB before it reads', () => {
  test.each(refusals)('%i %s (%#)', async (status, code, request) => {
    const { port } = await startGatewayWithUpstream((_request, response) => response.end(), { policy })
    for (let i = 0; i < 5; i++) {
      const answer = await writeThenRead(port, request, body)
      expect(statusOf(answer)).toBe(status)
      expect(JSON.parse(bodyOf(answer)).code).toBe(code)
      expect(answer).toMatch(/\r\nconnection: close\r\n/i)
    }
  })

  test('429 rate_limited, and 503 overloaded', async () => {
    const held = Promise.withResolvers<void>()
    const limited = await startGatewayWithUpstream((_request, response) => response.end(), {
      policy,
      environment: { LIMIT_ADDRESS_REQUESTS: '1' },
    })
    await ask(limited.port)
    const refused = await writeThenRead(limited.port, head('POST /open HTTP/1.1', length), body)
    expect(statusOf(refused)).toBe(429)

    const full = await startGatewayWithUpstream(
      (_request, response) => void held.promise.then(() => response.end()),
      {
        policy,
        environment: { UPSTREAM_REQUESTS: '1' },
      },
    )
    const first = ask(full.port)
    await expect.poll(async () => (await ask(full.port)).statusCode).toBe(503)
    const shed = await writeThenRead(full.port, head('POST /open HTTP/1.1', length), body)
    expect(statusOf(shed)).toBe(503)
    held.resolve()
    await first
  })

  test('401 token_missing: fetch has it, 20 of 20 times', async () => {
    const { port } = await startGatewayWithUpstream((_request, response) => response.end(), { policy })
    for (let i = 0; i < 20; i++) {
      const answer = await fetch(`http://127.0.0.1:${port}/closed`, { method: 'POST', body })
      expect(answer.status).toBe(401)
      expect(await answer.json()).toMatchObject({ code: 'token_missing' })
    }
  })

  test('404 not_found: a pipelined request behind a last response does not cost it', async () => {
    const { port } = await startGatewayWithUpstream((_request, response) => response.end('ok'), { policy })
    const last = head('GET /open HTTP/1.1', 'Connection: close')
    const answer = await writeThenRead(port, last, head('POST /open HTTP/1.1', length), body)
    expect(statusOf(answer)).toBe(200)
    expect(bodyOf(answer)).toBe('ok')
  })
})

test('an early response of the upstream reaches such a client, too', async () => {
  const upstream = createServer((_request, response) => {
    response.writeHead(403, { 'content-length': 5 })
    response.end('early')
  })
  const { port } = await startGateway({ upstreamPort: await listen(upstream), policy })
  for (let i = 0; i < 5; i++) {
    const answer = await writeThenRead(port, head('POST /open HTTP/1.1', length), body)
    expect(statusOf(answer)).toBe(403)
    expect(bodyOf(answer)).toBe('early')
  }
})

test('502 upstream_unreachable: also where the upstream closes in the middle of the body', async () => {
  const upstreamPort = await listen(createRawServer((socket) => socket.once('data', () => socket.destroy())))
  const { port } = await startGateway({ upstreamPort, policy })
  const answer = await writeThenRead(port, head('POST /open HTTP/1.1', length), body)
  expect(statusOf(answer)).toBe(502)
})

test('403 origin_not_allowed: a handshake that is rejected, with bytes behind it', async () => {
  const { port } = await startGatewayWithUpstream((_request, response) => response.end(), {
    policy: [{ ...openRow, path: '/socket', websocket: true }],
  })
  const handshake = head(
    'GET /socket HTTP/1.1',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`,
    'Origin: https://evil.example',
  )
  const answer = await writeThenRead(port, handshake, body)
  expect(statusOf(answer)).toBe(403)
})

test('the body of a rejected request is no request', async () => {
  const seen: string[] = []
  const { port } = await startGatewayWithUpstream(
    (request, response) => {
      seen.push(request.url ?? '')
      response.end()
    },
    { policy },
  )
  const hidden = head('GET /open HTTP/1.1')
  const answer = await exchange(
    port,
    head('POST /closed HTTP/1.1', `Content-Length: ${hidden.length * 3}`) + hidden + hidden,
  )
  expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 401'])
  expect(seen).toEqual([])
})
