import { afterAll, beforeAll, expect, test } from 'vitest'
import { openRow } from '../support/gateway/gateway-harness.ts'
import {
  bodyOf,
  closeSockets,
  exchange,
  exchangeOpen,
  startGatewayWithUpstream,
  statusOf,
} from '../support/gateway/sockets.ts'

/** Targets that the upstream received. */
const received: string[] = []
let port: number

beforeAll(async () => {
  const gatewayWithUpstream = await startGatewayWithUpstream(
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
  port = gatewayWithUpstream.port
})
afterAll(closeSockets)

/** A plain GET takes the fast path, one that closes goes by node:http. */
async function send(target: string) {
  received.length = 0
  const head = `GET ${target} HTTP/1.1\r\nHost: gateway.test\r\n`
  const answers = [
    await exchangeOpen(port, `${head}\r\n`),
    await exchange(port, `${head}Connection: close\r\n\r\n`),
  ]
  return { statuses: answers.map(statusOf), received: [...received] }
}

// A client library tidies these up before it sends them; an attacker's does not.
test.each([
  ['//secret/a'],
  ['/public//a'],
  ['/secret;x/a'],
  ['/public/;..;/secret/a'],
  ['/public/..;x/secret/a'],
  ['/public%2fa'],
  ['/public/..%2fsecret%2fa'],
  ['/public/..%5csecret'],
  ['/public/a%0A'],
  ['/public/a%00'],
  ['/public/%252e%252e'],
  ['/public/a%252fb'],
  ['/public/%2561'],
  ['/public/a%0D'],
  ['/public/%25%32%66'],
  ['/public\\a'],
  ['/public/..\\secret\\a'],
  ['/public/\\..\\..\\secret/a'],
  ['/public/a#b'],
  // Paths that a browser would have resolved.
  ['/public/x/../a'],
  ['/public/./a'],
  ['/public/../secret/a'],
  ['/public/%2e%2e/secret/a'],
  ['/x/.%2E/public/a'],
])('400: %s as raw bytes, and the upstream sees nothing', async (target) => {
  expect(await send(target)).toEqual({ statuses: [400, 400], received: [] })
})

test.each([
  ['/public/caf%C3%A9%20au%20lait'],
  ['/public/100%25'],
  ['/public/a;x=1'],
  ['/public/a?x=/../../secret/a'],
  ['/public/a?x=%2e%2e%2f%00'],
])('200: %s reaches the upstream as it is', async (target) => {
  expect(await send(target)).toEqual({ statuses: [200, 200], received: [`GET ${target}`, `GET ${target}`] })
})

test.each([
  ['/public/%41', '/public/A'],
  ['/%70ublic/a%2Db%7e?x=%41', '/public/a-b~?x=%41'],
])('200: %s reaches the upstream as %s', async (target, normalized) => {
  expect(await send(target)).toEqual({
    statuses: [200, 200],
    received: [`GET ${normalized}`, `GET ${normalized}`],
  })
})

test('200: a path of the gateway’s own, encoded more than it must be', async () => {
  expect(await send('/%6Cive')).toEqual({ statuses: [200, 200], received: [] })
})

test('405 method_not_allowed: TRACE', async () => {
  const answer = await exchange(port, 'TRACE /public/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  expect(statusOf(answer)).toBe(405)
})

test('405 method_not_allowed: CONNECT opens no tunnel', async () => {
  const answer = await exchange(port, 'CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n')
  expect(statusOf(answer)).toBe(405)
  expect(JSON.parse(bodyOf(answer)).code).toBe('method_not_allowed')
})
