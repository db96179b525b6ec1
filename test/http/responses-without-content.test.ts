import { createServer } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { openRow, postRow } from '../support/gateway/gateway-harness.ts'
import { closeSockets, exchange, listen, startGateway } from '../support/gateway/sockets.ts'

afterEach(closeSockets)

/**
 * Bytes that the gateway writes to a client when the upstream writes these lines as the response's
 * head.
 */
async function wireOf(lines: string[], request: string) {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', () => socket.write(`${lines.join('\r\n')}\r\n\r\n`))
  })
  const { port } = await startGateway({ upstreamPort: await listen(server), policy: [openRow, postRow] })
  return exchange(port, request)
}

const get = 'GET /open HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
const post = `POST /open HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx`
const head = get.replace('GET', 'HEAD')

describe('a response without content', () => {
  // Java's client takes a 204 with a length for a broken response.
  test.each([
    ['204', 'a GET', get],
    ['204', 'a POST', post],
    ['204', 'a HEAD', head],
    ['304', 'a GET', get],
    ['304', 'a HEAD', head],
  ])('%s to %s has no Content-Length, even if its upstream sends one', async (status, _method, request) => {
    const wire = await wireOf([`HTTP/1.1 ${status} X`, 'Content-Length: 5', 'ETag: "e"'], request)
    expect(wire).toContain(`HTTP/1.1 ${status} `)
    expect(wire).not.toMatch(/\r\n(content-length|transfer-encoding):/i)
    expect(wire).toMatch(/\r\netag: "e"\r\n/i)
    expect(wire).toMatch(/\r\n\r\n$/)
  })

  test('200 to a HEAD keeps the Content-Length of its GET', async () => {
    const wire = await wireOf(['HTTP/1.1 200 OK', 'Content-Length: 5'], head)
    expect(wire).toMatch(/\r\ncontent-length: 5\r\n/i)
    expect(wire).toMatch(/\r\n\r\n$/)
  })

  test('its connection serves the next request', async () => {
    const server = createServer((socket) => {
      socket.on('data', () => socket.write('HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n'))
    })
    const { port } = await startGateway({ upstreamPort: await listen(server) })
    const wire = await exchange(port, 'GET /open HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2) + get)
    expect(wire.match(/HTTP\/1\.1 204/g)).toHaveLength(3)
  })
})

describe('426 Upgrade Required of an upstream', () => {
  const lines = ['HTTP/1.1 426 X', 'Upgrade: TLS/1.2', 'Connection: Upgrade', 'Content-Length: 0']

  test.each([
    ['a plain GET', get],
    ['a POST', post],
    ['a GET that asked for another protocol', get.replace('close', 'Upgrade, close\r\nUpgrade: h2c')],
  ])('names the protocol in Upgrade and Connection: to %s', async (_what, request) => {
    const wire = await wireOf(lines, request)
    expect(wire).toMatch(/^HTTP\/1\.1 426 /)
    expect(wire).toMatch(/\r\nupgrade: TLS\/1\.2\r\n/i)
    const options = [...wire.matchAll(/\r\nconnection: ([^\r]*)/gi)].flatMap(([, list]) => list?.split(', '))
    expect(options.toSorted()).toEqual(['close', 'upgrade'])
  })

  test('no other status has Upgrade', async () => {
    const wire = await wireOf(['HTTP/1.1 200 OK', ...lines.slice(1)], get)
    expect(wire).not.toMatch(/\r\nupgrade:/i)
  })
})
