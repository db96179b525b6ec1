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
])('400: %s as raw bytes, and the upstream sees nothing', async (target) => {
  const { status, received } = await send(target)
  expect(status).toBe(400)
  expect(received).toEqual([])
})

// These are resolved before they are matched; what counts is that the upstream is asked for what was matched.
test.each([
  ['/public/x/../a', '/public/a'],
  ['/secret/../public/a', '/public/a'],
  ['/public/./a', '/public/a'],
  ['/x/%2e%2e/public/a', '/public/a'],
  ['/x/.%2E/public/a', '/public/a'],
  ['/public/caf%C3%A9%20au%20lait', '/public/caf%C3%A9%20au%20lait'],
  ['/public/a?x=/../../secret/a', '/public/a?x=/../../secret/a'],
  ['/public/a?x=%2e%2e%2f%00', '/public/a?x=%2e%2e%2f%00'],
])('200: %s reaches the upstream as %s, which is what was matched', async (target, seen) => {
  const { status, received } = await send(target)
  expect(status).toBe(200)
  expect(received).toEqual([`GET ${seen}`])
})

// The row of the resolved path decides, not that of the path as it was written.
test.each([['/public/../secret/a'], ['/public/%2e%2e/secret/a'], ['/public/x/../../secret/a']])(
  '401 token_missing: %s is a way to the protected path, and asks for a token',
  async (target) => {
    const { status, answer, received } = await send(target)
    expect(status).toBe(401)
    expect(JSON.parse(bodyOf(answer)).code).toBe('token_missing')
    expect(received).toEqual([])
  },
)

test('405 method_not_allowed: TRACE', async () => {
  const answer = await exchange(port, 'TRACE /public/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  expect(statusOf(answer)).toBe(405)
})

test('CONNECT opens no tunnel', async () => {
  expect(await exchange(port, 'CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n')).toBe('')
})
