import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  bodyOf,
  closeSockets,
  exchange,
  startGatewayWithUpstream,
  statusOf,
} from '../support/gateway/sockets.ts'

/** The headers that the upstream got, as they stood on the wire. */
let received: string[][] = []
let gatewayWithUpstream: Awaited<ReturnType<typeof startGatewayWithUpstream>>

beforeAll(async () => {
  gatewayWithUpstream = await startGatewayWithUpstream((request, response) => {
    const { rawHeaders } = request
    received = rawHeaders.flatMap((name, i) => (i % 2 ? [] : [[name.toLowerCase(), rawHeaders[i + 1] ?? '']]))
    response.setHeader('Connection', 'X-Hop')
    response.setHeader('X-Hop', 'hop')
    response.end('ok')
  })
})
beforeEach(() => {
  received = []
})
afterAll(closeSockets)

const get = (path: string, ...headers: string[]) =>
  exchange(
    gatewayWithUpstream.port,
    [`GET ${path} HTTP/1.1`, 'Host: x', 'Connection: close', ...headers, '', ''].join('\r\n'),
  )

test("identity headers doubled, in any case, with underscores and dots: the upstream has exactly the gateway's", async () => {
  await get(
    '/open',
    'Gatehouse-Assertion: a',
    'GATEHOUSE-ASSERTION: b',
    'Gatehouse_Assertion: c',
    'gatehouse-user: d',
    'Gatehouse.Assertion: e',
    'gatehouse~user: f',
  )
  const ours = received.filter(([name]) => /^gatehouse/.test(name ?? ''))
  expect(ours).toHaveLength(1)
  expect(ours[0]?.[1]).toMatch(/^ey/)
})

test("X-Forwarded-For doubled, with underscores and dots: the upstream has the socket's address alone", async () => {
  await get(
    '/open',
    'X-Forwarded-For: 6.6.6.6',
    'x-forwarded-for: 7.7.7.7',
    'X_Forwarded_For: 8.8.8.8',
    'X.Forwarded.For: 8.8.4.4',
    'Forwarded: for=9.9.9.9',
  )
  expect(received.filter(([name]) => /forwarded.?for|^forwarded$/.test(name ?? ''))).toEqual([
    ['x-forwarded-for', '127.0.0.1'],
  ])
})

// Node keeps the first of two, a loop over raw headers the last: a proxy that checks one and
// forwards the other is open.
test('401 invalid_token: Authorization twice, a good token first or last', async () => {
  const good = `Authorization: Bearer ${await gatewayWithUpstream.issuer.sign()}`
  expect(statusOf(await get('/closed', good))).toBe(200)
  for (const pairOfHeaders of [
    [good, 'Authorization: Bearer x.y.z'],
    ['authorization: Bearer x.y.z', good],
    [good, good],
  ]) {
    const answer = await get('/closed', ...pairOfHeaders)
    expect(statusOf(answer)).toBe(401)
    expect(JSON.parse(bodyOf(answer)).code).toBe('invalid_token')
  }
})

test("a header that Connection names ends at the gateway, both ways; the Host is the upstream's own", async () => {
  const answer = await get('/open', 'Connection: X-Secret', 'X-Secret: s', 'X-Kept: k')
  const names = received.map(([name]) => name)
  expect(names).toContain('x-kept')
  expect(names).not.toContain('x-secret')
  expect(received.filter(([name]) => name === 'host')).toEqual([
    ['host', `127.0.0.1:${gatewayWithUpstream.upstreamPort}`],
  ])
  expect(answer).not.toMatch(/x-hop/i)
})

test('400 body_not_allowed: a GET with a body, and nothing of it is read as a second request', async () => {
  const smuggled = 'GET /closed HTTP/1.1\r\nHost: x\r\n\r\n'
  const answer = await exchange(
    gatewayWithUpstream.port,
    `GET /open HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
  )
  expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1)
  expect(statusOf(answer)).toBe(400)
})
