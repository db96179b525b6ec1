import { createServer, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { closeSockets, listen } from '../../test/support/gateway/sockets.ts'
import type { Transport } from '../ports.ts'
import { createFetchTransport } from './fetch.ts'
import { createDispatchers, createTransport } from './node/upstream/undici-transport.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
  await closeSockets()
})

function undiciTransport(): Transport {
  const dispatchers = createDispatchers(60_000)
  closers.push(dispatchers.close)
  return createTransport(dispatchers)
}

/** An upstream that does to each request's connection what the test says. */
async function startUpstream(onRequest: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', () => onRequest(socket))
  })
  return `http://127.0.0.1:${await listen(server)}`
}

const request = (baseUrl: string, idleMs: number, isFresh = false): Parameters<Transport>[0] => ({
  baseUrl,
  target: '/',
  method: 'GET',
  headers: new Headers(),
  body: null,
  signal: new AbortController().signal,
  deadlineMs: 5000,
  idleMs,
  isFresh,
})

describe.each([
  ['fetch', () => createFetchTransport({ fetch: (url, init) => fetch(url, init) })],
  ['undici', undiciTransport],
])('the transport over %s', (_name, create) => {
  test('aborts a body whose upstream is silent for too long, and closes the upstream connection', async () => {
    const closed = Promise.withResolvers<void>()
    const origin = await startUpstream((socket) => {
      socket.on('close', () => closed.resolve())
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhe')
    })
    const answer = await create()(request(origin, 100))
    await expect(answer.text()).rejects.toThrow()
    await closed.promise
  })

  test('gives a body whole whose upstream is never silent for so long', async () => {
    const origin = await startUpstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n')
      const letters = [...'hello']
      const beat = setInterval(() => {
        socket.write(letters.shift() ?? '')
        if (letters.length === 0) clearInterval(beat)
      }, 100)
    })
    const answer = await create()(request(origin, 3000))
    expect(await answer.text()).toBe('hello')
  })
})

test('undici: a fresh request takes no connection that another has used', async () => {
  const sockets = new Set<Socket>()
  const origin = await startUpstream((socket) => {
    sockets.add(socket)
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello')
  })
  const transport = undiciTransport()
  for (const isFresh of [false, false, true, true]) {
    const answer = await transport(request(origin, 1000, isFresh))
    expect(await answer.text()).toBe('hello')
    // A connection is free in the turn after its response.
    await nextTurn()
  }
  expect(sockets.size).toBe(3)
})
