import { afterAll, beforeAll, expect, test } from 'vitest'
import { bodyOf, closeSockets, exchange, startPair, statusOf } from '../../../test/sockets.ts'
import { openRow } from '../../../test/stand.ts'

/** What the upstream was asked for. */
const received: string[] = []
let port: number

beforeAll(async () => {
  const pair = await startPair(
    (request, response) => {
      received.push(`${request.method} ${request.url}`)
      response.end()
    },
    {
      policy: [
        { ...openRow, path: '/public/{name}' },
        { ...openRow, path: '/secret/{name}', who: 'user' },
      ],
    },
  )
  port = pair.port
})
afterAll(closeSockets)

async function send(target: string) {
  received.length = 0
  const answer = await exchange(
    port,
    `GET ${target} HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n`,
  )
  return { status: statusOf(answer), answer, received: [...received] }
}

// A client library tidies these up before it sends them; an attacker's does not.
test.each([
  ['//secret/a'],
  ['/public//a'],
  ['/public/a;x'],
  ['/public/..;x/secret/a'],
  ['/public%2fa'],
  ['/public/..%2fsecret%2fa'],
  ['/public/..%5csecret'],
  ['/public/a%0A'],
  ['/public/a%00'],
  ['/public/%252e%252e'],
  ['/public/a%252fb'],
  ['/public/%61'],
  ['/public\\a'],
  ['/public/..\\secret\\a'],
  ['/public/\\..\\..\\secret/a'],
  ['/public/a#b'],
  // What a browser would have resolved.
  ['/public/x/../a'],
  ['/public/./a'],
  ['/public/../secret/a'],
  ['/public/%2e%2e/secret/a'],
  ['/x/.%2E/public/a'],
])('400: %s as raw bytes, and the upstream sees nothing', async (target) => {
  const { status, received } = await send(target)
  expect(status).toBe(400)
  expect(received).toEqual([])
})

test.each([['/public/caf%C3%A9%20au%20lait'], ['/public/a?x=/../../secret/a'], ['/public/a?x=%2e%2e%2f%00']])(
  '200: %s reaches the upstream as it is',
  async (target) => {
    const { status, received } = await send(target)
    expect(status).toBe(200)
    expect(received).toEqual([`GET ${target}`])
  },
)

test('405 method_not_allowed: TRACE', async () => {
  const answer = await exchange(port, 'TRACE /public/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  expect(statusOf(answer)).toBe(405)
})

test('405 method_not_allowed: CONNECT opens no tunnel', async () => {
  const answer = await exchange(port, 'CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n')
  expect(statusOf(answer)).toBe(405)
  expect(JSON.parse(bodyOf(answer)).code).toBe('method_not_allowed')
})
