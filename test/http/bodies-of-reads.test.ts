import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openRow, postRow } from '../support/gateway/gateway-harness.ts'
import {
  bodyOf,
  closeSockets,
  exchange,
  openSocket,
  startGatewayWithUpstream,
  statusOf,
} from '../support/gateway/sockets.ts'

/** A body that a GET or HEAD says it has is refused: not dropped, not forwarded, and not read. */

const seen: string[] = []
let gatewayWithUpstream: Awaited<ReturnType<typeof startGatewayWithUpstream>>
beforeAll(async () => {
  gatewayWithUpstream = await startGatewayWithUpstream(
    (request, response) => {
      seen.push(`${request.method} ${request.url}`)
      request.resume()
      request.on('end', () => response.end('ok'))
    },
    {
      environment: { LIMIT_ADDRESS_REQUESTS: '1000000' },
      policy: [
        openRow,
        { ...postRow, body_bytes: 1024 ** 2 },
        { ...postRow, method: 'DELETE' },
        { ...openRow, path: '/socket', websocket: true },
      ],
    },
  )
})
beforeEach(() => {
  seen.length = 0
  gatewayWithUpstream.lines.length = 0
})
afterAll(closeSockets)

const message = (line: string, headers: string[], body = '') =>
  [line, 'Host: x', 'Connection: close', ...headers, '', body].join('\r\n')
const length = 'Content-Length: 4'
const chunked = 'Transfer-Encoding: chunked'

/** The status of each request, as the log has it. */
const logged = () =>
  gatewayWithUpstream.lines.filter(({ msg }) => msg === 'request').map(({ status }) => status)

describe('400 body_not_allowed, and the upstream sees nothing', () => {
  test.each([
    ['by its length', message('GET /open HTTP/1.1', [length], 'body')],
    ['in chunks', message('GET /open HTTP/1.1', [chunked], '4\r\nbody\r\n0\r\n\r\n')],
    ['in chunks of which there are none', message('GET /open HTTP/1.1', [chunked], '0\r\n\r\n')],
    ['in chunks that cannot be read', message('GET /open HTTP/1.1', [chunked], 'zz\r\nbody')],
    ['that never comes', message('GET /open HTTP/1.1', [length])],
    ['of a HEAD', message('HEAD /open HTTP/1.1', [length], 'body')],
    ['to the gateway itself', message('GET /live HTTP/1.1', [length], 'body')],
    ['by HTTP/1.0', message('GET /open HTTP/1.0', [length], 'body')],
    [
      'of a handshake',
      message('GET /socket HTTP/1.1', [length, 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'], 'body'),
    ],
  ])('%s', async (_name, bytes) => {
    const answer = await exchange(gatewayWithUpstream.port, bytes)
    expect(statusOf(answer)).toBe(400)
    if (!bytes.startsWith('HEAD')) expect(JSON.parse(bodyOf(answer)).code).toBe('body_not_allowed')
    expect(seen).toEqual([])
    await expect.poll(logged).toEqual([400])
  })
})

test('200: a GET with Content-Length 0', async () => {
  expect(
    statusOf(await exchange(gatewayWithUpstream.port, message('GET /open HTTP/1.1', ['Content-Length: 0']))),
  ).toBe(200)
  expect(
    statusOf(await exchange(gatewayWithUpstream.port, message('GET /live HTTP/1.1', ['Content-Length: 0']))),
  ).toBe(200)
})

test('200: a DELETE with a body', async () => {
  expect(
    statusOf(await exchange(gatewayWithUpstream.port, message('DELETE /open HTTP/1.1', [length], 'body'))),
  ).toBe(200)
})

// The log has the code that the client received.
test('400 bad_request in the log: a body whose end cannot be read, after the upstream got the request', async () => {
  const socket = await openSocket(gatewayWithUpstream.port)
  socket.write(message('POST /open HTTP/1.1', [chunked], '4\r\nbody\r\n'))
  await expect.poll(() => seen).toEqual(['POST /open'])
  socket.write('zz\r\n')
  let answer = ''
  for await (const bytes of socket) answer += bytes
  expect(statusOf(answer)).toBe(400)
  expect(JSON.parse(bodyOf(answer)).code).toBe('bad_request')
  await expect.poll(logged).toEqual([400])
})

test('400 bad_request in the log: a small body that cannot be read, and the upstream sees nothing', async () => {
  const answer = await exchange(
    gatewayWithUpstream.port,
    message('DELETE /open HTTP/1.1', [chunked], '4\r\nbody\r\nzz\r\n'),
  )
  expect(statusOf(answer)).toBe(400)
  expect(seen).toEqual([])
  await expect.poll(logged).toEqual([400])
})
