import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readRequestHead } from './request-head.ts'

const read = (text: string) => readRequestHead(Buffer.from(text, 'latin1'))
const head = (line: string, ...headers: string[]) => [line, ...headers, '', ''].join('\r\n')
const get = (...headers: string[]) => head('GET /a?b=c HTTP/1.1', 'Host: x', ...headers)

test('a GET or HEAD without a body: its method, target and headers, as they came', () => {
  expect(read(get('Accept:  */* \t', 'accept: \xe9', 'X:'))).toEqual({
    method: 'GET',
    target: '/a?b=c',
    headers: ['Host', 'x', 'Accept', '*/*', 'accept', '\xe9', 'X', ''],
  })
  expect(read(head('HEAD / HTTP/1.1', 'connection: Keep-Alive'))).toMatchObject({ method: 'HEAD' })
  expect(read(head('GET / HTTP/1.1'))?.headers).toEqual([])
})

describe('anything else is handed to Node’s parser', () => {
  test.each([
    ['a head that has not ended', get().slice(0, -1)],
    ['bytes behind it', `${get()}a`],
    ['another request behind it', get() + get()],
    ['a line before it', `\r\n${get()}`],
    ['another method', head('POST / HTTP/1.1', 'Host: x')],
    ['a method in lower case', head('get / HTTP/1.1', 'Host: x')],
    ['HTTP/1.0', head('GET / HTTP/1.0', 'Host: x')],
    ['HTTP/2.0', head('GET / HTTP/2.0', 'Host: x')],
    ['no version', head('GET /', 'Host: x')],
    ['two spaces', head('GET  / HTTP/1.1', 'Host: x')],
    ['a space in the target', head('GET /a b HTTP/1.1', 'Host: x')],
    ['a control in the target', head('GET /\x01 HTTP/1.1', 'Host: x')],
    ['a target beyond ASCII', head('GET /\xe9 HTTP/1.1', 'Host: x')],
    ['a target that is no path', head('GET http://x/ HTTP/1.1', 'Host: x')],
    ['Content-Length', get('Content-Length: 0')],
    ['Transfer-Encoding', get('transfer-encoding: chunked')],
    ['Upgrade', get('Upgrade: websocket')],
    ['Expect', get('EXPECT: 100-continue')],
    ['Connection: close', get('Connection: close')],
    ['a named connection option', get('Connection: keep-alive, x-a')],
    ['a space before the colon', get('Accept : a')],
    ['a folded line', get('A: a', ' b')],
    ['a line without a colon', get('a')],
    ['a colon in the next line alone', get('a', 'b: c')],
    ['an empty name', get(': a')],
    ['a name with a space in it', get('X A: a')],
    ['a null', get('A: a\0b')],
    ['a bare carriage return', get('A: a\rB: b')],
    ['a bare line feed', get('A: a\nB: b')],
    ['lines that end with a bare line feed', get('A: a').replaceAll('\r\n', '\n')],
    ['more than 16 KiB', get(`A: ${'a'.repeat(16 * 1024)}`)],
  ])('%s', (_name, text) => {
    expect(read(text)).toBeUndefined()
  })
})

const lines = fc.constantFrom(
  'Host: x',
  'Accept: */*',
  'Connection: keep-alive',
  'Connection: close',
  'Content-Length: 0',
  'Transfer-Encoding: chunked',
  'Upgrade: h2c',
  'Authorization: Bearer a.b.c',
  'X-Empty:',
  "!#$%&'*+-.^_`|~: a",
)
const heads = fc
  .tuple(fc.constantFrom('/', '/a?b', '/%2e#c', '/;='), fc.array(lines, { maxLength: 5 }))
  .map(([target, headers]) => head(`GET ${target} HTTP/1.1`, ...headers))
const edits = fc.array(
  fc.record({
    at: fc.nat({ max: 200 }),
    removed: fc.nat({ max: 1 }),
    added: fc.oneof(
      fc.constantFrom('', '\r', '\n', '\r\n', '\0', ' ', '\t', ':', ',', '\x0b', '\x7f', '\xa0', '/', '#'),
      fc.nat({ max: 255 }).map((code) => String.fromCharCode(code)),
    ),
  }),
  { maxLength: 2 },
)

// A head with two readings could smuggle a second request.
test('a head that the fast path accepts is accepted by Node’s parser, and reads the same', {
  timeout: 120_000,
}, async () => {
  const server = createServer({ requireHostHeader: false }, ({ method, url, rawHeaders }, response) => {
    response.end(JSON.stringify({ method, target: url, headers: rawHeaders }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').setEncoding('utf8')
  let taken = 0
  try {
    await fc.assert(
      fc.asyncProperty(heads, edits, async (plain, changes) => {
        const text = changes.reduce(
          (before, { at, removed, added }) => before.slice(0, at) + added + before.slice(at + removed),
          plain,
        )
        const mine = read(text)
        if (!mine) return
        taken++
        socket.write(text, 'latin1')
        const [answer] = (await once(socket, 'data')) as [string]
        expect(answer).toMatch(/^HTTP\/1\.1 200 /)
        expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4))).toEqual(mine)
      }),
      { numRuns: 20_000, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: false },
    )
  } finally {
    socket.destroy()
    server.close()
  }
  expect(taken).toBeGreaterThan(1000)
})
