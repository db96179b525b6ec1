import { describe, expect, test } from 'vitest'
import { parseResponseHead, ResponseError } from './response-head.ts'

const parse = (lines: string[], isHead = false) => parseResponseHead(lines.join('\r\n'), isHead)
const ok = 'HTTP/1.1 200 OK'

describe('the end of the body', () => {
  test.each([
    ['by its length', [ok, 'Content-Length: 12'], 12],
    ['at once, by a length of 0', [ok, 'content-length:0'], 0],
    ['by its chunks', [ok, 'Transfer-Encoding: Chunked'], 'chunked'],
    ['with the connection, where nothing is said', [ok], 'close'],
    ['at once for 204', ['HTTP/1.1 204 No Content', 'Content-Length: 12'], 'none'],
    ['at once for 304', ['HTTP/1.1 304 Not Modified', 'Content-Length: 12'], 'none'],
  ])('is known %s', (_how, lines, framing) => {
    expect(parse(lines).framing).toBe(framing)
  })

  test('is known at once for a response to HEAD, whose length is that of another response', () => {
    const head = parse([ok, 'Content-Length: 12'], true)
    expect(head.framing).toBe('none')
    expect(head.headers).toEqual(['Content-Length', '12'])
  })
})

// Each of these is one answer to some, and another or two to others.
describe('a response that can be read in two ways is rejected', () => {
  test.each([
    ['two lengths', [ok, 'Content-Length: 1', 'Content-Length: 2']],
    ['one length twice', [ok, 'Content-Length: 1', 'Content-Length: 1']],
    ['a list of lengths', [ok, 'Content-Length: 1, 1']],
    ['a signed length', [ok, 'Content-Length: +1']],
    ['a length in hexadecimal', [ok, 'Content-Length: 0x1']],
    ['an empty length', [ok, 'Content-Length:']],
    ['a length and chunks', [ok, 'Content-Length: 1', 'Transfer-Encoding: chunked']],
    ['another coding than chunked', [ok, 'Transfer-Encoding: gzip, chunked']],
    ['chunked twice', [ok, 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked']],
    ['chunked with a trick', [ok, 'Transfer-Encoding: \x0bchunked']],
    ['a space before the colon', [ok, 'Content-Length : 1']],
    ['a folded line', [ok, 'X-A: 1', ' Content-Length: 5']],
    ['a bare line feed', [ok, 'X-A: 1\nContent-Length: 5']],
    ['a bare carriage return', [ok, 'X-A: 1\rContent-Length: 5']],
    ['a zero byte', [ok, 'X-A: 1\0']],
    ['a line without a colon', [ok, 'X-A']],
    ['a field without a name', [ok, ': 1']],
    ['HTTP/2', ['HTTP/2 200 OK']],
    ['a status of two digits', ['HTTP/1.1 20 OK']],
    ['a status beyond 5xx', ['HTTP/1.1 600 What']],
    ['another protocol', ['SSH-2.0-OpenSSH']],
    ['nothing', ['']],
  ])('%s', (_what, lines) => {
    expect(() => parse(lines)).toThrow(ResponseError)
  })
})

describe('the connection', () => {
  test.each([
    [true, [ok, 'Content-Length: 1']],
    [true, [ok, 'Content-Length: 1', 'Connection: keep-alive']],
    [true, [ok, 'Content-Length: 1', 'Connection: X-Disclosed']],
    [false, [ok, 'Content-Length: 1', 'Connection: Close']],
    [false, [ok, 'Content-Length: 1', 'Connection: x-a', 'Connection: foo , close']],
    [false, [ok]],
    [false, ['HTTP/1.0 200 OK', 'Content-Length: 1']],
  ])('may be used again: %s after %j', (isReusable, lines) => {
    expect(parse(lines).isReusable).toBe(isReusable)
  })

  test('is kept for as long as the upstream says', () => {
    expect(parse([ok, 'Keep-Alive: timeout=5, max=100']).keepAliveSeconds).toBe(5)
    expect(parse([ok, 'Keep-Alive: max=100']).keepAliveSeconds).toBeUndefined()
  })
})

test('fields come as they are: names in their case, values without the white space around, bytes beyond ASCII a character each', () => {
  expect(
    parse([ok, 'X-One:\t a b \t', 'x-TWO:caf\xe9', 'Set-Cookie: a=1', 'Set-Cookie: b=2']).headers,
  ).toEqual([...['X-One', 'a b', 'x-TWO', 'caf\xe9', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']])
})
