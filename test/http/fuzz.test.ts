import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { closedRow, openRow, postRow } from '../support/gateway/gateway-harness.ts'
import { closeSockets, exchange, startGatewayWithUpstream, statusOf } from '../support/gateway/sockets.ts'

let port: number
/** Requests that reached the upstream, by path. */
const reached = new Set<string>()

beforeAll(async () => {
  const gatewayWithUpstream = await startGatewayWithUpstream(
    (request, response) => {
      reached.add(request.url?.split('?')[0] ?? '')
      request.resume().on('end', () => response.end('ok'))
    },
    {
      environment: { LIMIT_ADDRESS_REQUESTS: '1000000' },
      policy: [openRow, postRow, closedRow, { ...openRow, path: '/p/{name}' }],
    },
  )
  port = gatewayWithUpstream.port
})
afterAll(closeSockets)

const characters = fc.string({
  unit: fc.nat({ max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 12,
})
const targets = fc.oneof(
  fc.constantFrom('/open', '/closed', '/p/a', '/p/__proto__', '/constructor', '/live', '/ready', '*', ''),
  fc.webPath(),
  characters.map((text) => `/p/${text}`),
  characters.map((text) => `/open?${text}`),
)
const names = fc.oneof(
  fc.constantFrom('Authorization', 'Cookie', 'Origin', 'Connection', 'Upgrade', 'TE', 'Trailer', 'Range'),
  fc.constantFrom(
    'X-Forwarded-For',
    'Via',
    'Forwarded',
    'Gatehouse-Assertion',
    'traceparent',
    'baggage',
    '__proto__',
  ),
  fc.constantFrom(
    'Sec-WebSocket-Protocol',
    'Sec-WebSocket-Key',
    'Keep-Alive',
    'Accept-Encoding',
    'X-Request-Id',
  ),
  characters,
)
const values = fc.oneof(
  characters,
  fc.constantFrom('websocket', 'close', 'keep-alive, Host', 'Bearer x.y.z', 'null', '', '*', 'gzip', '0'),
)
const requests = fc.record({
  method: fc.oneof(
    fc.constantFrom('GET', 'HEAD', 'POST', 'OPTIONS', 'DELETE', 'TRACE', 'QUERY', 'M-SEARCH'),
    characters,
  ),
  target: targets,
  headers: fc.array(fc.tuple(names, values), { maxLength: 6 }),
  body: fc.oneof(fc.constant(undefined), characters),
})

// Never 500 for what a client sent, nor 502 because an upstream would not take it from us.
test('any request gets a status below 500 or its connection ends, and no path without a row is forwarded', async () => {
  const statuses = new Set<number>()
  await fc.assert(
    fc.asyncProperty(requests, async ({ method, target, headers, body }) => {
      const length = body === undefined ? [] : [`Content-Length: ${body.length}`]
      const lines = [
        `${method} ${target} HTTP/1.1`,
        'Host: x',
        ...headers.map(([name, value]) => `${name}: ${value}`),
        ...length,
        'Connection: close',
        '',
        body ?? '',
      ]
      const answer = await exchange(port, Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'))
      if (answer === '') return
      const status = statusOf(answer)
      expect(status).toBeGreaterThanOrEqual(200)
      expect(status).toBeLessThan(500)
      statuses.add(status)
      expect(answer).toMatch(/\r\nstrict-transport-security: /i)
    }),
    { numRuns: 3000, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: false },
  )
  // Else it would hold for a server that reads nothing.
  for (const status of [200, 204, 400, 404, 405]) expect(statuses).toContain(status)
  for (const path of reached) expect(path).toMatch(/^\/(open|p\/[^/]+)$/)
}, 120_000)
