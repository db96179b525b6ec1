import { once } from 'node:events'
import type { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, test } from 'vitest'
import { openRow, postRow } from '../support/gateway/gateway-harness.ts'
import { problemOf, startRawUpstream } from '../support/gateway/raw-upstream.ts'
import {
  ask,
  closeSockets,
  openSocket,
  startGateway,
  startGatewayWithUpstream,
  statusOf,
} from '../support/gateway/sockets.ts'

afterEach(closeSockets)

describe('an upstream that is silent', () => {
  test("504 upstream_timeout: at the row's deadline; with Retry-After", async () => {
    const { upstreamPort } = await startRawUpstream(() => {})
    const { port } = await startGateway({ upstreamPort, policy: [{ ...openRow, deadline_seconds: 0.2 }] })
    const startedAt = performance.now()
    const { status, headers, body } = await problemOf(port)
    const durationMs = performance.now() - startedAt
    expect(status).toBe(504)
    expect(headers['retry-after']).toBe('1')
    expect(body).toMatchObject({ status: 504, code: 'upstream_timeout' })
    expect(durationMs).toBeGreaterThanOrEqual(190)
    expect(durationMs).toBeLessThan(600)
  })

  test('408 body_timeout: where the request was never sent whole, as it is the client that is waited for', async () => {
    const { upstreamPort } = await startRawUpstream(() => {})
    const policy = [{ ...postRow, deadline_seconds: 0.1, body_bytes: 1024 ** 2 }]
    const { port } = await startGateway({ upstreamPort, policy })
    const socket = await openSocket(port)
    socket.write('POST /open HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf')
    const [answer] = await once(socket, 'data')
    expect(statusOf(String(answer))).toBe(408)
  })

  // A client that sends a length and no body would otherwise hold one of the upstream's connections
  // for as long as it likes.
  test('408 body_timeout: a small body that does not come, before the upstream is called', async () => {
    const { upstreamPort, count } = await startRawUpstream(() => {})
    const { port } = await startGateway({ upstreamPort, policy: [{ ...postRow, deadline_seconds: 0.1 }] })
    const socket = await openSocket(port)
    socket.write('POST /open HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf')
    const answer = await text(socket)
    expect(statusOf(answer)).toBe(408)
    expect(answer).toContain('"code":"body_timeout"')
    expect(count()).toBe(0)
  })

  test('504: a POST is not sent again after its deadline', async () => {
    const { upstreamPort, count } = await startRawUpstream(() => {})
    const { port } = await startGateway({ upstreamPort, policy: [{ ...postRow, deadline_seconds: 0.1 }] })
    expect((await problemOf(port, { method: 'POST', body: 'order' })).status).toBe(504)
    expect(count()).toBe(1)
  })

  test('200: one deadline does not hold for another row', async () => {
    const { port } = await startGatewayWithUpstream(
      (_request, response) => setTimeout(() => response.end(), 150),
      {
        policy: [
          { ...openRow, deadline_seconds: 0.1 },
          { ...openRow, path: '/patient' },
        ],
      },
    )
    expect((await ask(port)).statusCode).toBe(504)
    expect((await ask(port, { path: '/patient' })).statusCode).toBe(200)
  })
})

describe("a stream that is silent for longer than its row's idle_seconds", () => {
  const startEvents = (idleSeconds: number) => {
    const upstream = Promise.withResolvers<Socket>()
    return startRawUpstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n')
      upstream.resolve(socket)
    }).then(async ({ upstreamPort }) => {
      const policy = [{ ...openRow, idle_seconds: idleSeconds }]
      const { port } = await startGateway({ upstreamPort, policy })
      const answer = await ask(port)
      const [first] = await once(answer, 'data')
      expect(String(first)).toBe('data: 1\n\n')
      return { answer, upstream: await upstream.promise }
    })
  }

  test('is cut, and the client sees an abort', async () => {
    const { answer, upstream } = await startEvents(0.2)
    const closed = once(upstream, 'close')
    await expect(answer.resume().toArray()).rejects.toThrow('aborted')
    await closed
  })

  test('is not cut as long as a heartbeat comes in time', async () => {
    const { answer, upstream } = await startEvents(0.3)
    answer.resume()
    let heard = 0
    answer.on('data', () => heard++)
    const beat = setInterval(() => upstream.write(': beat\n\n'), 50)
    await expect.poll(() => heard, { timeout: 5000 }).toBeGreaterThan(12)
    clearInterval(beat)
    expect(answer.destroyed).toBe(false)
  })
})
