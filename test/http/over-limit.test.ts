import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import type { PolicyRow } from '../../gateway/policy/policy.ts'
import { overLimitHeader } from '../../shared/http/headers.ts'
import {
  ask,
  bodyOf,
  closeSockets,
  listen,
  openSocket,
  startGateway,
  statusOf,
} from '../support/gateway/sockets.ts'

afterEach(closeSockets)

const row: PolicyRow = {
  method: 'POST',
  path: '/auth/refresh',
  upstream: 'origin',
  who: 'public',
  limits: ['refresh'],
  over_limit: 'forward',
}

const attempt = { method: 'POST', path: row.path, body: '{}' }

/**
 * An origin that answers 401 until it is told otherwise, and an address that is over its failures.
 */
async function startOverLimit(environment = {}) {
  const held: ServerResponse[] = []
  const marks: unknown[] = []
  let respond = (response: ServerResponse) => void response.writeHead(401).end()
  const upstreamPort = await listen(
    createServer((incoming, response) => {
      marks.push(incoming.headers[overLimitHeader])
      incoming.resume()
      respond(response)
    }),
  )
  const { port } = await startGateway({
    upstreamPort,
    policy: [row],
    environment: { LIMIT_FAILURES: '1', ORIGIN_URL: `http://127.0.0.1:${upstreamPort}`, ...environment },
  })
  expect((await ask(port, attempt)).statusCode).toBe(401)
  respond = (response) => void response.writeHead(200).end()
  return {
    port,
    marks,
    held,
    hold() {
      respond = (response) => void held.push(response)
    },
    respondWith(next: typeof respond) {
      respond = next
    },
  }
}

/** A request whose head has been taken in, and whose body does not come. */
async function openSlowly(port: number) {
  const socket = await openSocket(port)
  socket.write(`POST ${row.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n`)
  const [first] = (await once(socket, 'data')) as [Buffer]
  expect(first.toString()).toMatch(/^HTTP\/1.1 100 /)
  return socket
}

// Else a hostile colleague would hold all turns of the address with heads alone.
test('200: a request with a complete body is served, however many others at the address send theirs slowly', async () => {
  const { port, marks } = await startOverLimit()
  await Promise.all(Array.from({ length: 60 }, () => openSlowly(port)))
  expect((await ask(port, attempt)).statusCode).toBe(200)
  expect(marks).toEqual([undefined, expect.stringMatching(/^refresh;t=\d+$/)])
})

// Otherwise one address could take all places of the origin with request heads alone, and block
// logins.
test('200: requests whose body has not come hold no place of the upstream', async () => {
  const { port } = await startOverLimit({ UPSTREAM_REQUESTS: '1' })
  await Promise.all(Array.from({ length: 10 }, () => openSlowly(port)))
  expect((await ask(port, attempt)).statusCode).toBe(200)
})

test('429 rate_limited: the 101st slow body of an address ends the first; one that is whole is served', async () => {
  const { port } = await startOverLimit()
  const first = await openSlowly(port)
  const answered = text(first)
  const others = await Promise.all(Array.from({ length: 99 }, () => openSlowly(port)))
  expect((await ask(port, attempt)).statusCode).toBe(200)
  const answer = await answered
  expect(statusOf(answer)).toBe(429)
  expect(JSON.parse(bodyOf(answer))).toMatchObject({ code: 'rate_limited', 'violated-policies': ['refresh'] })
  for (const { readableEnded } of others) expect(readableEnded).toBe(false)
})

// Else eight clients that read nothing would keep their address waiting for ten minutes.
test('200: clients that do not read their responses hold no turn of their address', async () => {
  const { port, respondWith, marks } = await startOverLimit()
  respondWith((response) => void response.writeHead(200).end(Buffer.alloc(32 * 1024 ** 2)))
  const stalled = await Promise.all(Array.from({ length: 8 }, () => send(port)))
  for (const socket of stalled) socket.pause()
  await expect.poll(() => marks.length).toBe(9)
  respondWith((response) => void response.writeHead(200).end())
  expect((await ask(port, attempt)).statusCode).toBe(200)
  for (const { destroyed } of stalled) expect(destroyed).toBe(false)
})

/** A request that is whole. */
async function send(port: number) {
  const socket = await openSocket(port)
  socket.write(`POST ${row.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}`)
  return socket
}

// Else a hostile colleague would fill the queue by connections that it closes again.
test('503 overloaded only for clients that stay: one that leaves gives up its place in the queue', async () => {
  const { port, held, hold } = await startOverLimit()
  hold()
  await Promise.all(Array.from({ length: 8 }, () => send(port)))
  await expect.poll(() => held.length).toBe(8)
  const waiting = await Promise.all(Array.from({ length: 50 }, () => send(port)))
  await expect.poll(async () => (await ask(port, attempt)).statusCode).toBe(503)
  for (const socket of waiting) socket.destroy()
  // The gateway sees the sockets close in its own time: until then one more is 503.
  const asked: Promise<number | undefined>[] = []
  await expect
    .poll(async () => {
      const status = ask(port, attempt).then(({ statusCode }) => statusCode)
      const soon = new Promise((resolve) => setTimeout(resolve, 50, 'waits'))
      const first = await Promise.race([status, soon])
      if (first === 'waits') asked.push(status)
      return first
    })
    .toBe('waits')
  await expect
    .poll(async () => {
      for (const response of held.splice(0)) response.writeHead(200).end()
      return Promise.race([...asked, undefined])
    })
    .toBe(200)
  expect(await Promise.all(asked)).toEqual([200])
})

test('200: a client that leaves while waiting for a turn, or in it, passes it to the next', async () => {
  const { port, held, hold } = await startOverLimit()
  hold()
  const inTurn = await Promise.all(Array.from({ length: 8 }, () => send(port)))
  await expect.poll(() => held.length).toBe(8)
  const waiting = await Promise.all(Array.from({ length: 10 }, () => send(port)))
  const last = ask(port, attempt)
  for (const socket of [...waiting, ...inTurn]) socket.destroy()
  let isAnswered = false
  void last.then(() => {
    isAnswered = true
  })
  await expect
    .poll(() => {
      for (const response of held.splice(0)) if (!response.destroyed) response.writeHead(200).end()
      return isAnswered
    })
    .toBe(true)
  expect((await last).statusCode).toBe(200)
})
