import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { securityHeaders } from '../../gateway/http/security-headers.ts'
import { closedRow, openRow, postRow } from '../support/gateway/gateway-harness.ts'
import {
  bodyOf,
  closeSockets,
  exchange,
  exchangeOpen,
  openSocket,
  startGatewayWithUpstream,
  statusOf,
} from '../support/gateway/sockets.ts'

/** Requests that reached the upstream, and the headers of the last one. */
const received: string[] = []
let lastHeaders: string[] = []
let gatewayWithUpstream: Awaited<ReturnType<typeof startGatewayWithUpstream>>

beforeAll(async () => {
  gatewayWithUpstream = await startGatewayWithUpstream(
    (request, response) => {
      received.push(`${request.method} ${request.url}`)
      lastHeaders = request.rawHeaders
      request.resume().on('end', () => response.end('ok'))
    },
    {
      environment: { GATEWAY_HOSTS: 'api.example.com,[::1]', LIMIT_ADDRESS_REQUESTS: '1000000' },
      policy: [openRow, postRow, closedRow, { ...openRow, path: '/p/{name}' }],
    },
  )
})
beforeEach(() => {
  received.length = 0
})
afterAll(closeSockets)

const send = (...lines: string[]) => exchange(gatewayWithUpstream.port, [...lines, '', ''].join('\r\n'))
const host = 'Host: api.example.com'
const close = 'Connection: close'

/** The rejection on the wire: its form and the whole set of headers, from any of its writers. */
function expectRefusal(answer: string, status: number, code: string) {
  expect({ status: statusOf(answer), body: bodyOf(answer) }).toMatchObject({ status })
  const head = answer.slice(0, answer.indexOf('\r\n\r\n'))
  const headers = Object.fromEntries(
    head
      .split('\r\n')
      .slice(1)
      .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  )
  expect(headers).toMatchObject({
    ...securityHeaders,
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    'content-length': String(Buffer.byteLength(bodyOf(answer))),
  })
  expect(JSON.parse(bodyOf(answer))).toMatchObject({ status, code, request_id: headers['x-request-id'] })
  expect(received).toEqual([])
}

describe('where a message ends cannot be read in two ways: 400 bad_request and close', () => {
  test.each([
    ['Content-Length and Transfer-Encoding', 'Content-Length: 4\r\nTransfer-Encoding: chunked'],
    ['Transfer-Encoding and Content-Length', 'Transfer-Encoding: chunked\r\nContent-Length: 4'],
    ['two different Content-Lengths', 'Content-Length: 4\r\nContent-Length: 5'],
    ['Content-Length as a list', 'Content-Length: 4, 4'],
    ['a signed Content-Length', 'Content-Length: +4'],
    ['a negative Content-Length', 'Content-Length: -1'],
    ['a Content-Length in hexadecimal', 'Content-Length: 0x4'],
    ['a Content-Length beyond all numbers', 'Content-Length: 99999999999999999999'],
    ['an empty Content-Length', 'Content-Length:'],
    ['chunked that is not last', 'Transfer-Encoding: chunked, identity'],
    ['an encoding that is not chunked', 'Transfer-Encoding: xchunked'],
    ['an encoding inside the chunks', 'Transfer-Encoding: gzip, chunked'],
    [
      'an encoding inside the chunks, in a field of its own',
      'Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked',
    ],
    ['chunked behind a vertical tab', 'Transfer-Encoding: \x0bchunked'],
    ['a space before the colon', 'Transfer-Encoding : chunked'],
    ['a space before the name', ' Transfer-Encoding: chunked'],
    ['a folded line', 'X-Folded: a\r\n b'],
    ['a bare line feed', 'X-A: a\nX-B: b'],
    ['a bare carriage return', 'X-A: a\rX-B: b'],
    ['a null', 'X-A: a\0b'],
    ['a name with a space in it', 'X A: a'],
    ['a name that is none', ': a'],
    ['a line without a colon', 'nothing'],
  ])('%s', async (_name, headers) => {
    const answer = await send('POST /open HTTP/1.1', host, headers, '', '0')
    expectRefusal(answer, 400, 'bad_request')
    expect(answer).toMatch(/\r\nconnection: close\r\n/i)
  })

  test.each([
    ['a chunk whose size is no number', 'x\r\n'],
    ['a chunk longer than its size', '1\r\nabc\r\n0\r\n\r\n'],
    ['a size beyond all numbers', 'fffffffffffffffff\r\n'],
    ['a chunk that ends with a bare line feed', '1\na\r\n0\r\n\r\n'],
  ])('%s: the upstream acts on nothing', async (_name, chunks) => {
    const answer = await exchange(
      gatewayWithUpstream.port,
      `POST /open HTTP/1.1\r\n${host}\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
    )
    expect(statusOf(answer)).toBe(400)
    expect(received).toEqual([])
  })

  // The client would take the rejection of the second request for the response to the first.
  test('an invalid chunk behind a request in progress: the connection ends, without a rejection in place of the first response', async () => {
    const answer = await exchange(
      gatewayWithUpstream.port,
      `GET /open HTTP/1.1\r\n${host}\r\n\r\nPOST /open HTTP/1.1\r\n${host}\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n`,
    )
    expect(answer).toBe('')
  })

  test('bytes beyond Content-Length are the next request, not part of the first', async () => {
    const answers = await send(
      'POST /open HTTP/1.1',
      host,
      'Content-Length: 4',
      '',
      `bodyGET /closed HTTP/1.1\r\n${host}`,
      close,
    )
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 401'])
    expect(received).toEqual(['POST /open'])
  })

  test('CL.TE with a second request hidden in the body: neither is served', async () => {
    const answer = await send(
      'POST /open HTTP/1.1',
      host,
      'Content-Length: 44',
      'Transfer-Encoding: chunked',
      '',
      '0',
      '',
      'GET /closed HTTP/1.1',
      host,
    )
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 400'])
    expect(received).toEqual([])
  })
})

// Node's parser stops at the end of a request that asks for another protocol: its client would wait
// in vain for the answer to the next.
test.each(['/open', '/live'])(
  '200 and the connection ends: %s with an unsupported upgrade, another request right behind it',
  async (path) => {
    const upgrade = ['Connection: Upgrade', 'Upgrade: h2c']
    const answers = await send(`GET ${path} HTTP/1.1`, host, ...upgrade, '', 'GET /open HTTP/1.1', host)
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200'])
    expect(answers).toMatch(/\r\nconnection: close\r\n/i)
  },
)

describe('a malformed request line', () => {
  test.each([
    ['HTTP/2 by prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
    ['an unknown method', `FOO /open HTTP/1.1\r\n${host}\r\n\r\n`],
    ['a method in lower case', `get /open HTTP/1.1\r\n${host}\r\n\r\n`],
    ['a control in the path', `GET /op\x01en HTTP/1.1\r\n${host}\r\n\r\n`],
    ['a line of another protocol', 'SSH-2.0-OpenSSH_9.6\r\n\r\n'],
  ])('400 bad_request: %s', async (_name, bytes) => {
    expectRefusal(await exchange(gatewayWithUpstream.port, Buffer.from(bytes, 'latin1')), 400, 'bad_request')
  })

  test.each(['', ' HTTP/0.9', ' HTTP/1.2', ' HTTP/2.0', ' HTTP/3.7'])(
    '505 http_version_not_supported: GET /open%s',
    async (version) => {
      const answer = await send(`GET /open${version}`, host)
      expectRefusal(answer, 505, 'http_version_not_supported')
      expect(answer).toMatch(/\r\nconnection: close\r\n/i)
    },
  )
})

describe('too much', () => {
  const many = (count: number) => Array.from({ length: count }, (_, i) => `a${i % 10}:`)

  test('431 too_many_fields: many short ones, and none is dropped silently', async () => {
    expectRefusal(await send('GET /open HTTP/1.1', host, close, ...many(2500)), 431, 'too_many_fields')
  })

  test('431 too_many_fields: also where the gateway itself responds, and for a preflight', async () => {
    for (const line of ['GET /live HTTP/1.1', 'OPTIONS /open HTTP/1.1'])
      expectRefusal(await send(line, host, close, ...many(2500)), 431, 'too_many_fields')
  })

  test('431 too_many_fields: 201 headers; 200 pass', async () => {
    expectRefusal(await send('GET /open HTTP/1.1', host, close, ...many(199)), 431, 'too_many_fields')
    expect(statusOf(await send('GET /open HTTP/1.1', host, close, ...many(198)))).toBe(200)
  })

  test('431 too_many_fields: one field of more than 16 kB, or many that are as long together', async () => {
    for (const headers of [[`X-A: ${'a'.repeat(17_000)}`], Array(100).fill(`X-A: ${'a'.repeat(200)}`)])
      expectRefusal(await send('GET /open HTTP/1.1', host, close, ...headers), 431, 'too_many_fields')
  })

  test('414 target_too_long: a URL of more than 8 KiB, in its path or in its query', async () => {
    for (const target of [`/p/${'a'.repeat(8190)}`, `/open?${'a'.repeat(8190)}`])
      expectRefusal(await send(`GET ${target} HTTP/1.1`, host, close), 414, 'target_too_long')
    expect(statusOf(await send(`GET /open?${'a'.repeat(8000)} HTTP/1.1`, host, close))).toBe(200)
  })
})

describe('Host (RFC 9112, section 3.2)', () => {
  test.each([
    ['missing', []],
    ['empty', ['Host:']],
    ['twice', [host, host]],
    ['twice, once in another case', [host, 'hOsT: api.example.com']],
    ['with userinfo', ['Host: api.example.com@evil.example']],
    ['with a path', ['Host: api.example.com/x']],
    ['with a list', ['Host: api.example.com, evil.example']],
    ['with a port that is none', ['Host: api.example.com:x']],
  ])('400 bad_request: %s', async (_name, headers) => {
    expectRefusal(await send('GET /open HTTP/1.1', ...headers, close), 400, 'bad_request')
  })

  test.each([
    'evil.example',
    'api.example.com.evil.example',
    'xapi.example.com',
    '127.0.0.1',
    'api.example.com..',
    'evil.example.',
  ])('421 misdirected_request: %s is not served here', async (name) => {
    expectRefusal(await send('GET /open HTTP/1.1', `Host: ${name}`, close), 421, 'misdirected_request')
  })

  test.each([
    ['api.example.com', 'api.example.com'],
    ['API.example.com:8443', 'API.example.com:8443'],
    ['[::1]:80', '[::1]:80'],
    // The dot only names the root of the DNS: clients that resolve fully qualified names send it.
    ['api.example.com.', 'api.example.com'],
    ['API.example.com.:8443', 'API.example.com:8443'],
  ])('200: %s, which the upstream gets as %s', async (name, forwardedHost) => {
    const plain = `GET /open HTTP/1.1\r\nHost: ${name}\r\n\r\n`
    const answers = [
      await send('GET /open HTTP/1.1', `Host: ${name}`, close),
      await exchangeOpen(gatewayWithUpstream.port, plain),
      await exchangeOpen(gatewayWithUpstream.port, plain),
    ]
    expect(answers.map(statusOf)).toEqual([200, 200, 200])
    expect(lastHeaders[lastHeaders.indexOf('x-forwarded-host') + 1]).toBe(forwardedHost)
  })

  test('421 misdirected_request: a name is not served for having come before, nor for coming after one that is', async () => {
    expect(statusOf(await send('GET /open HTTP/1.1', host, close))).toBe(200)
    received.length = 0
    for (const name of ['evil.example', 'evil.example'])
      expectRefusal(await send('GET /open HTTP/1.1', `Host: ${name}`, close), 421, 'misdirected_request')
  })

  test.each(['//evil.example/open', '@evil.example/open', '*', 'open'])(
    '400 bad_request: the target %s',
    async (target) => {
      expectRefusal(await send(`GET ${target} HTTP/1.1`, host, close), 400, 'bad_request')
    },
  )
})

describe('the absolute form of a target (RFC 9112, section 3.2.2)', () => {
  test.each([
    ['http://api.example.com/open', 'GET /open'],
    ['HTTP://API.example.com/open?x=http://evil.example', 'GET /open?x=http://evil.example'],
    ['http://api.example.com.:8080/open', 'GET /open'],
    ['http://api.example.com/p/%41', 'GET /p/A'],
  ])('200: %s is served as its path, for its authority and not its Host', async (target, forwarded) => {
    for (const field of [host, 'Host: evil.example']) {
      received.length = 0
      expect(statusOf(await send(`GET ${target} HTTP/1.1`, field, close))).toBe(200)
      expect(received).toEqual([forwarded])
      expect(lastHeaders[lastHeaders.indexOf('x-forwarded-host') + 1]?.toLowerCase()).toMatch(
        /^api\.example\.com(:|$)/,
      )
      expect(lastHeaders[lastHeaders.indexOf('x-forwarded-proto') + 1]).toBe('http')
    }
  })

  test('200: by HTTP/1.0, which may leave Host out', async () => {
    expect(statusOf(await send('GET http://api.example.com/open HTTP/1.0'))).toBe(200)
  })

  test('200: a POST with its body, and /live', async () => {
    const length = 'Content-Length: 2'
    const posted = await send('POST http://api.example.com/open HTTP/1.1', host, close, length, '', 'ok')
    expect(statusOf(posted)).toBe(200)
    expect(statusOf(await send('GET http://api.example.com/live HTTP/1.1', host, close))).toBe(200)
  })

  test('421 misdirected_request: the authority is not served here, for any Host', async () => {
    for (const target of ['http://evil.example/open', 'http://api.example.com.evil.example/open'])
      expectRefusal(await send(`GET ${target} HTTP/1.1`, host, close), 421, 'misdirected_request')
  })

  // RFC 9110, section 7.4: what is for TLS alone is not given away without it.
  test('421 misdirected_request: https without TLS', async () => {
    expectRefusal(
      await send('GET https://api.example.com/open HTTP/1.1', host, close),
      421,
      'misdirected_request',
    )
  })

  test.each([
    ['userinfo', 'http://ada:secret@api.example.com/open', [host]],
    ['no authority', 'http:///open', [host]],
    ['an authority that is none', 'http://api.example.com:x/open', [host]],
    ['another scheme', 'ftp://api.example.com/open', [host]],
    ['an ambiguous path', 'http://api.example.com//open', [host]],
    ['a path with a scheme of its own', 'http://api.example.com/http://api.example.com/open', [host]],
    ['no Host', 'http://api.example.com/open', []],
    ['two Hosts', 'http://api.example.com/open', [host, host]],
    ['a malformed Host', 'http://api.example.com/open', ['Host: a b']],
  ])('400 bad_request: %s', async (_name, target, headers) => {
    expectRefusal(await send(`GET ${target} HTTP/1.1`, ...headers, close), 400, 'bad_request')
  })

  test('what is behind it on the connection is served, too', async () => {
    const answers = await exchange(
      gatewayWithUpstream.port,
      `GET http://api.example.com/open HTTP/1.1\r\n${host}\r\n\r\nGET /open HTTP/1.1\r\n${host}\r\n${close}\r\n\r\n`,
    )
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200'])
  })
})

describe('methods', () => {
  test.each(['TRACE', 'PUT', 'DELETE', 'PROPFIND', 'PURGE'])(
    '405 method_not_allowed: %s, with Allow',
    async (method) => {
      const answer = await send(`${method} /open HTTP/1.1`, host, close)
      expectRefusal(answer, 405, 'method_not_allowed')
      expect(answer).toMatch(/\r\nallow: GET, HEAD, POST, OPTIONS\r\n/i)
    },
  )

  test('405 method_not_allowed: CONNECT', async () => {
    expectRefusal(
      await send('CONNECT 127.0.0.1:22 HTTP/1.1', 'Host: 127.0.0.1:22'),
      405,
      'method_not_allowed',
    )
  })

  test('417 expectation_failed: an unknown expectation', async () => {
    expectRefusal(
      await send('POST /open HTTP/1.1', host, close, 'Expect: miracles'),
      417,
      'expectation_failed',
    )
  })

  test('200: the gateway responds to Expect: 100-continue and does not forward it', async () => {
    const answer = await send(
      'POST /open HTTP/1.1',
      host,
      close,
      'Expect: 100-continue',
      'Content-Length: 2',
      '',
      'ok',
    )
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 100', 'HTTP/1.1 200'])
  })

  test.each([
    ['/open', 'GET, HEAD, POST, OPTIONS'],
    ['/open?x=1', 'GET, HEAD, POST, OPTIONS'],
    ['/p/%41', 'GET, HEAD, OPTIONS'],
    ['/live', 'GET, HEAD, OPTIONS'],
    ['http://api.example.com/open', 'GET, HEAD, POST, OPTIONS'],
    ['*', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'],
    ['http://api.example.com', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'],
  ])('204: OPTIONS %s, with the whole set and Allow: %s', async (target, allow) => {
    const answer = await send(`OPTIONS ${target} HTTP/1.1`, host, close)
    expect(statusOf(answer)).toBe(204)
    expect(answer).toContain(`\r\nallow: ${allow}\r\n`)
    expect(answer).toMatch(/\r\nstrict-transport-security: max-age=31536000/i)
    expect(received).toEqual([])
  })

  test.each([
    ['/nowhere', 404, 'not_found'],
    ['/p//a', 400, 'bad_request'],
    ['/p/\\', 400, 'bad_request'],
    ['open', 400, 'bad_request'],
  ])('OPTIONS %s: %i %s', async (target, status, code) => {
    expectRefusal(await send(`OPTIONS ${target} HTTP/1.1`, host, close), status, code)
  })

  test('421 misdirected_request: OPTIONS for a host that is not served here', async () => {
    for (const [target, field] of [
      ['/open', 'Host: evil.example'],
      ['http://evil.example/open', host],
    ])
      expectRefusal(
        await send(`OPTIONS ${target} HTTP/1.1`, field as string, close),
        421,
        'misdirected_request',
      )
  })

  test.each(
    ['/live', '/ready', '/health'].flatMap((path) =>
      ['POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND'].map((method) => [method, path] as const),
    ),
  )('405 method_not_allowed: %s %s, with Allow', async (method, path) => {
    const answer = await send(`${method} ${path} HTTP/1.1`, host, close)
    expectRefusal(answer, 405, 'method_not_allowed')
    expect(answer).toMatch(/\r\nallow: GET, HEAD, OPTIONS\r\n/i)
  })

  test('405 method_not_allowed: POST /live with a body, and the next request on the connection', async () => {
    const answers = await send(
      'POST /live HTTP/1.1',
      host,
      'Content-Length: 2',
      '',
      `okGET /live HTTP/1.1\r\n${host}`,
      close,
    )
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 405', 'HTTP/1.1 200'])
  })

  test('200: HEAD /live, /ready and /health, without a body', async () => {
    for (const path of ['/live', '/ready', '/health']) {
      const answer = await send(`HEAD ${path} HTTP/1.1`, host, close)
      expect(statusOf(answer)).toBe(200)
      expect(bodyOf(answer)).toBe('')
    }
  })
})

describe('HTTP/1.0', () => {
  test.each([
    ['', []],
    [', also where the client would keep it', ['Connection: keep-alive']],
  ])('200 and the connection ends%s', async (_name, headers) => {
    const answer = await send('GET /open HTTP/1.0', host, ...headers)
    expect(statusOf(answer)).toBe(200)
    expect(answer).toMatch(/\r\nconnection: close\r\n/i)
    expect(bodyOf(answer)).toBe('ok')
  })

  // An intermediary may have framed it otherwise (RFC 9112, section 6.1).
  test.each([
    ['alone', []],
    ['with Content-Length', ['Content-Length: 2']],
    ['where the client would keep the connection', ['Connection: keep-alive']],
  ])('400 bad_request: chunks by HTTP/1.0, %s', async (_name, headers) => {
    const answer = await send(
      'POST /open HTTP/1.0',
      host,
      'Transfer-Encoding: chunked',
      ...headers,
      '',
      '2\r\nok\r\n0',
    )
    expectRefusal(answer, 400, 'bad_request')
    expect(answer).toMatch(/\r\nconnection: close\r\n/i)
  })

  test('400 bad_request: /live and OPTIONS with a malformed Host', async () => {
    for (const line of ['GET /live HTTP/1.0', 'OPTIONS /open HTTP/1.0'])
      expectRefusal(await send(line, 'Host: a b'), 400, 'bad_request')
  })

  // A load balancer that asks whether this instance lives knows no name for it.
  test('200: /live without a Host', async () => {
    const answer = await send('GET /live HTTP/1.0')
    expect(statusOf(answer)).toBe(200)
    expect(answer).toMatch(/\r\nstrict-transport-security: max-age=31536000/i)
  })
})

test('fields with the names of what every object has are passed on like any other', async () => {
  await send('GET /open HTTP/1.1', host, close, 'constructor: a', '__proto__: b', 'toString: c')
  expect(lastHeaders.join(' ')).toContain('constructor a __proto__ b toString c')
})

// A refusal that closes would cost every client a new connection, and us a handshake.
test('a rejection without a body to skip keeps the connection', async () => {
  const socket = await openSocket(gatewayWithUpstream.port)
  const asked = `GET /nowhere HTTP/1.1\r\n${host}\r\n\r\n`
  socket.write(asked + asked + asked.replace('\r\n\r\n', `\r\n${close}\r\n\r\n`))
  let answers = ''
  for await (const chunk of socket) answers += chunk
  expect(answers.match(/HTTP\/1\.1 404/g)).toHaveLength(3)
})
