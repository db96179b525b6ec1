import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bodyOf, closeSockets, exchange, startPair, statusOf } from '../../../test/sockets.ts'

/** What the upstream was asked for. */
let received: string[] = []
let port: number

beforeAll(async () => {
  const pair = await startPair(
    (request, response) => {
      received.push(`${request.method} ${request.url} ${request.headers.host}`)
      response.end()
    },
    { environment: { GATEWAY_HOSTS: 'api.example.com,[::1]' } },
  )
  port = pair.port
})
beforeEach(() => {
  received = []
})
afterAll(closeSockets)

const send = async (start: string, ...fields: string[]) => {
  const answer = await exchange(port, [start, ...fields, 'Connection: close', '', ''].join('\r\n'))
  return {
    status: statusOf(answer),
    code: answer.includes('problem+json') && JSON.parse(bodyOf(answer)).code,
  }
}

// A name of somebody else's that is sent to our address must not end up in links, caches or logs as ours.
describe('the Host', () => {
  test.each(['api.example.com', 'API.example.com', 'api.example.com:8443', '[::1]:8080'])(
    '200: %s is served',
    async (host) => {
      expect(await send('GET /open HTTP/1.1', `Host: ${host}`)).toMatchObject({ status: 200 })
    },
  )

  test.each(['evil.example', 'api.example.com.evil.example', '127.0.0.1', 'api.example.com.'])(
    '421 misdirected_request: %s is not',
    async (host) => {
      expect(await send('GET /open HTTP/1.1', `Host: ${host}`)).toEqual({
        status: 421,
        code: 'misdirected_request',
      })
      expect(received).toEqual([])
    },
  )

  test.each([
    ['none', []],
    ['an empty one', ['Host:']],
    ['one that is no name', ['Host: api.example.com/open']],
    ['one with a user', ['Host: me@api.example.com']],
    ['two', ['Host: api.example.com', 'Host: evil.example']],
    ['two alike', ['Host: api.example.com', 'Host: api.example.com']],
  ])('400 bad_request: %s', async (_, fields) => {
    expect(await send('GET /open HTTP/1.1', ...fields)).toMatchObject({ status: 400 })
    expect(received).toEqual([])
  })

  test.each(['http://api.example.com/open', 'http://evil.example/open', 'http://upstream.internal/'])(
    '400 bad_request: the absolute form %s, whose host could be another than that of the field',
    async (target) => {
      expect(await send(`GET ${target} HTTP/1.1`, 'Host: api.example.com')).toMatchObject({ status: 400 })
      expect(received).toEqual([])
    },
  )
})

describe('a head', () => {
  const host = 'Host: api.example.com'

  test('431 too_many_fields: one field of more than 16 kB', async () => {
    expect(await send('GET /open HTTP/1.1', host, `X-Long: ${'a'.repeat(17_000)}`)).toEqual({
      status: 431,
      code: 'too_many_fields',
    })
    expect(received).toEqual([])
  })

  test('431 too_many_fields: many short ones, none of which is left out without a word', async () => {
    const short = (count: number) => Array.from({ length: count }, (_, i) => `x${i}:1`)
    expect(await send('GET /open HTTP/1.1', host, ...short(50))).toMatchObject({ status: 200 })
    for (const count of [200, 2_001])
      expect(await send('GET /open HTTP/1.1', host, ...short(count))).toEqual({
        status: 431,
        code: 'too_many_fields',
      })
    expect(received).toHaveLength(1)
  })

  test('414 target_too_long: a query of more than 8 kB', async () => {
    expect(await send(`GET /open?${'a'.repeat(9_000)} HTTP/1.1`, host)).toEqual({
      status: 414,
      code: 'target_too_long',
    })
    expect(received).toEqual([])
  })
})
