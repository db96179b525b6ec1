import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { closedRow, openRow, postRow } from '../support/gateway/gateway-harness.ts'
import {
  bodyOf,
  closeSockets,
  exchange,
  exchangeOpen,
  startGatewayWithUpstream,
  statusOf,
} from '../support/gateway/sockets.ts'

/**
 * Requests as browsers, libraries and proxies send them, to a gateway behind one proxy, and what
 * its upstream gets.
 */

interface Received {
  line: string
  headers: [name: string, value: string][]
  body: string
}

let received: Received[] = []
let port: number

beforeAll(async () => {
  const gatewayWithUpstream = await startGatewayWithUpstream(
    async (request, response) => {
      const pieces: Buffer[] = []
      for await (const piece of request) pieces.push(piece as Buffer)
      const { rawHeaders } = request
      received.push({
        line: `${request.method} ${request.url}`,
        headers: rawHeaders.flatMap((name, i) => (i % 2 ? [] : [[name, rawHeaders[i + 1] as string]])),
        body: Buffer.concat(pieces).toString('latin1'),
      })
      response.end('ok')
    },
    {
      environment: {
        TRUSTED_PROXY_HOPS: '1',
        LIMIT_ADDRESS_REQUESTS: '100000',
        GATEWAY_HOSTS: 'api.example.com',
      },
      policy: [
        ...[openRow, postRow, closedRow],
        { ...openRow, path: '/p/{name}' },
        { ...openRow, method: 'DELETE' },
        { ...openRow, method: 'PATCH' },
      ],
    },
  )
  port = gatewayWithUpstream.port
})
afterAll(closeSockets)

interface Sent {
  line?: string
  headers?: readonly string[]
  body?: string
}

/**
 * A GET without a body that keeps its connection takes the fast path; what closes it goes by
 * node:http.
 */
async function send({ line = 'GET /open', headers = [], body = '' }: Sent) {
  received = []
  const host = headers.some((field) => /^host:/i.test(field)) ? [] : ['Host: api.example.com']
  const from = headers.some((field) => /^x-forwarded-for:/i.test(field))
    ? []
    : ['X-Forwarded-For: 203.0.113.7']
  const bytes = (...more: string[]) =>
    Buffer.from([`${line} HTTP/1.1`, ...host, ...from, ...headers, ...more, '', body].join('\r\n'), 'latin1')
  const answers = [await exchange(port, bytes('Connection: close'))]
  if (line.startsWith('GET ') && body === '') answers.push(await exchangeOpen(port, bytes()))
  return answers
}

/** The values of a header as the upstream got them, by each way. */
const valuesOf = (name: string) =>
  received.map(({ headers }) =>
    headers.filter(([given]) => given.toLowerCase() === name).map(([, value]) => value),
  )

async function expectForwarded(sent: Sent, expected: Partial<Omit<Received, 'headers'>> = {}) {
  const answers = await send(sent)
  for (const answer of answers) expect(answer).toMatch(/^(HTTP\/1\.1 100 Continue\r\n\r\n)?HTTP\/1\.1 200 /)
  expect(received).toHaveLength(answers.length)
  for (const one of received) expect(one).toMatchObject(expected)
}

describe('200: a header reaches the upstream as it came', () => {
  test.each([
    ['an empty value', 'X-Empty', ''],
    ['white space around the value', 'X-Blank', ' \t a\tb \t', 'a\tb'],
    ['Latin-1', 'X-Name', 'caf\xe9'],
    ['UTF-8', 'X-Name', 'caf\xc3\xa9'],
    ['every other byte of a value', 'User-Agent', '\x80\xff~!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}'],
    ['a name of signs', "X.a!#$%&'*+-^_`|~1", '1'],
    ['client hints', 'Sec-CH-UA', '"Chromium";v="140", "Not=A?Brand";v="24"'],
    ['conditions', 'If-None-Match', 'W/"a", "b"'],
    ['8,000 bytes', 'X-Long', 'a'.repeat(8000)],
  ])('%s', async (_name, name, value, expected = value) => {
    await expectForwarded({ headers: [`${name}: ${value}`] })
    for (const values of valuesOf(name.toLowerCase())) expect(values).toEqual([expected])
  })

  test('a header in several lines stays in several lines', async () => {
    await expectForwarded({ headers: ['Accept: a/b', 'accept: c/d'] })
    for (const values of valuesOf('accept')) expect(values).toEqual(['a/b', 'c/d'])
  })

  // HTTP/2 lets clients split it (RFC 9113, section 8.2.3); proxies may pass it on so.
  test('Cookie in several lines becomes one, without our own cookies', async () => {
    const own = 'Cookie: __Host-gatehouse_refresh=x'
    await expectForwarded({ headers: ['Cookie: a=1', own, 'Cookie: b=2; c="\xe9"'] })
    for (const values of valuesOf('cookie')) expect(values).toEqual(['a=1; b=2; c="\xe9"'])
  })

  test('tracestate and baggage in several lines become one', async () => {
    const traceparent = 'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    await expectForwarded({
      headers: [traceparent, 'tracestate: a=1', 'tracestate: b=2', 'baggage: x=1', 'baggage: y=2'],
    })
    for (const values of valuesOf('tracestate')) expect(values).toEqual(['a=1, b=2'])
    for (const values of valuesOf('baggage')) expect(values).toEqual(['x=1, y=2'])
  })
})

describe('200: lists in Connection', () => {
  test.each([
    ['Keep-Alive'],
    ['keep-alive, Upgrade'],
    ['Upgrade'],
    ['TE, close'],
    [', keep-alive ,'],
    [''],
    ['keep-alive, Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA'],
  ])('%s: it is not forwarded, the rest is', async (connection, ...more) => {
    received = []
    const headers = [
      `Connection: ${connection}`,
      'TE: trailers',
      'Keep-Alive: timeout=5',
      'X-Kept: 1',
      ...more,
    ]
    const head = ['GET /open HTTP/1.1', 'Host: api.example.com', 'X-Forwarded-For: 203.0.113.7', ...headers]
    expect(statusOf(await exchangeOpen(port, `${head.join('\r\n')}\r\n\r\n`))).toBe(200)
    const names = received[0]?.headers.map(([name]) => name.toLowerCase())
    expect(names).toContain('x-kept')
    for (const hop of ['te', 'keep-alive', 'upgrade', 'http2-settings']) expect(names).not.toContain(hop)
  })

  test.each([['close, x-named'], ['close\r\nConnection: X-Named'], ['X-NAMED, close']])(
    '%j: a header that it names ends here',
    async (connection) => {
      received = []
      const head = ['GET /open HTTP/1.1', 'Host: api.example.com', 'X-Forwarded-For: 203.0.113.7']
      await exchange(port, [...head, `Connection: ${connection}`, 'X-Named: 1', '', ''].join('\r\n'))
      expect(valuesOf('x-named')).toEqual([[]])
    },
  )
})

describe('200: bodies as clients frame them', () => {
  const chunks = '2\r\nok\r\n0\r\n\r\n'
  test.each([
    ['Expect: 100-continue', ['Expect: 100-continue', 'Content-Length: 2'], 'ok', 'ok'],
    ['Expect: 100-Continue', ['Expect: 100-Continue', 'Content-Length: 2'], 'ok', 'ok'],
    ['Expect without a body', ['Expect: 100-continue', 'Content-Length: 0'], '', ''],
    ['chunked', ['Transfer-Encoding: chunked'], chunks, 'ok'],
    ['Chunked', ['Transfer-Encoding: Chunked'], chunks, 'ok'],
    ['CHUNKED, with white space', ['Transfer-Encoding:  CHUNKED  '], chunks, 'ok'],
    ['chunk extensions', ['Transfer-Encoding: chunked'], `2;a=b;c="d"\r\nok\r\n0\r\n\r\n`, 'ok'],
    ['trailers', ['Transfer-Encoding: chunked', 'Trailer: X-T'], '2\r\nok\r\n0\r\nX-T: 1\r\n\r\n', 'ok'],
    [
      'upper and leading zeros of a chunk size',
      ['Transfer-Encoding: chunked'],
      `0A\r\n${'a'.repeat(10)}\r\n000\r\n\r\n`,
      'a'.repeat(10),
    ],
    ['an empty body in chunks', ['Transfer-Encoding: chunked'], '0\r\n\r\n', ''],
    ['leading zeros of a length', ['Content-Length: 0002'], 'ok', 'ok'],
    ['no length at all', [], '', ''],
  ])('POST: %s', async (_name, headers, body, expected) => {
    await expectForwarded({ line: 'POST /open', headers, body }, { line: 'POST /open', body: expected })
  })

  test.each(['DELETE', 'PATCH'])('%s with a body, and without', async (method) => {
    const line = `${method} /open`
    await expectForwarded({ line, headers: ['Content-Length: 2'], body: 'ok' }, { line, body: 'ok' })
    await expectForwarded({ line }, { line, body: '' })
  })

  test('GET with Content-Length: 0', async () => {
    await expectForwarded({ headers: ['Content-Length: 0'] }, { body: '' })
  })
})

describe('200: targets', () => {
  test.each([
    ['/open?q=%zz&r=%', undefined],
    ['/open?q=a|b&c=[1]&d={e}&f="g"&h=<i>&j=^`\\', undefined],
    ['/open?a?b=//../;c', undefined],
    ['/open?', undefined],
    ['/p/caf%C3%A9', undefined],
    ['/p/%F0%9F%98%80', undefined],
    ['/p/%E9', undefined],
    ["/p/(a)*'!$&+,=:@", undefined],
    ['/p/%7euser%2Dname', '/p/~user-name'],
    ['/p/100%25;v=1', undefined],
  ])('%s', async (target, forwarded = target) => {
    await expectForwarded({ line: `GET ${target}` }, { line: `GET ${forwarded}` })
  })

  test('https in the absolute form, from a trusted proxy', async () => {
    await expectForwarded({
      line: 'GET https://api.example.com/open',
      headers: ['Host: other.example', 'X-Forwarded-Proto: https'],
    })
    expect(valuesOf('x-forwarded-proto')[0]).toEqual(['https'])
    expect(valuesOf('x-forwarded-host')[0]).toEqual(['api.example.com'])
  })

  test('an empty line before the request', async () => {
    const head = 'GET /open HTTP/1.1\r\nHost: api.example.com\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n'
    expect(statusOf(await exchangeOpen(port, `\r\n${head}`))).toBe(200)
  })
})

describe('404 or 400, the same by each way, and nothing is forwarded', () => {
  test.each([
    ['/open/', 404],
    ['/p/', 404],
    ['/p/a/', 404],
    ['/OPEN', 404],
    ['/p/caf\xc3\xa9', 400],
    ['/open?q=caf\xc3\xa9', 400],
    ['/p/a b', 400],
    ['/p/a\x01', 400],
  ])('%s: %i', async (target, status) => {
    expect((await send({ line: `GET ${target}` })).map(statusOf)).toEqual([status, status])
    expect(received).toEqual([])
  })
})

describe('200: whom a proxy names', () => {
  test.each([
    ['several lines', ['6.6.6.6', '198.51.100.9:1234'], '198.51.100.9'],
    ['a list and a line', ['6.6.6.6, 7.7.7.7', '198.51.100.9'], '198.51.100.9'],
    ['IPv4 in IPv6', ['::ffff:198.51.100.9'], '198.51.100.9'],
    ['IPv6 with a port', ['[2001:DB8::9]:443'], '2001:db8::9'],
    ['a zone', ['fe80::1%eth0'], 'fe80::1'],
  ])('%s', async (_name, lines, address) => {
    await expectForwarded({ headers: lines.map((line) => `X-Forwarded-For: ${line}`) })
    for (const values of valuesOf('x-forwarded-for')) expect(values).toEqual([address])
  })
})

describe('401: malformed credentials', () => {
  test.each([
    ['', 'token_missing', 'Bearer'],
    ['   ', 'token_missing', 'Bearer'],
    ['Bearer', 'invalid_token', 'Bearer error="invalid_token"'],
    ['Bearer undefined', 'invalid_token', 'Bearer error="invalid_token"'],
    ['Basic eDp5', 'invalid_token', 'Bearer error="invalid_token"'],
  ])('Authorization: %j is %s', async (value, code, challenge) => {
    for (const answer of await send({ line: 'GET /closed', headers: [`Authorization: ${value}`] })) {
      expect(statusOf(answer)).toBe(401)
      expect(JSON.parse(bodyOf(answer)).code).toBe(code)
      expect(answer).toContain(`\r\nwww-authenticate: ${challenge}\r\n`)
    }
  })
})
