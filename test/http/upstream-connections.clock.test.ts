import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request } from 'node:http'
import type { Socket } from 'node:net'
import { json, text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { createHeldUpstream } from '../support/gateway/held-upstream.ts'
import {
  ask,
  closeSockets,
  listen,
  startGateway,
  startGatewayWithUpstream,
} from '../support/gateway/sockets.ts'

afterEach(closeSockets)

const highLimits = { LIMIT_ADDRESS_REQUESTS: '1000000' }

// A second bound below the configured one would have requests wait in line for streams that last
// for hours.
test('503 overloaded: at once beyond UPSTREAM_REQUESTS, and up to there each has its connection', async () => {
  const upstream = createHeldUpstream()
  const environment = { ...highLimits, UPSTREAM_REQUESTS: '400' }
  const { port } = await startGatewayWithUpstream(upstream.listener, { environment })
  const answers = Array.from({ length: 400 }, () => ask(port))
  await expect.poll(() => upstream.held.length, { timeout: 5000 }).toBe(400)
  const startedAt = performance.now()
  const refused = await ask(port)
  expect(performance.now() - startedAt).toBeLessThan(1000)
  expect(refused.headers['retry-after']).toBe('1')
  expect(await json(refused)).toMatchObject({ status: 503, code: 'overloaded' })
  upstream.release()
  for (const answer of answers) expect((await answer).statusCode).toBe(200)
})

// A request on a connection that its upstream closes at this moment is lost: it cannot be known
// whether it was acted on, so it is not sent again.
test('200: 300 POSTs around the idle time of the upstream, none lost, none twice', async () => {
  const idleMs = 2000
  const keepAliveMs = 1000
  const count = 300
  const orders = new Map<string, number>()
  const answeredAt = new WeakMap<Socket, number>()
  let held: (() => void)[] = []
  // Each response waits for the whole round, so that each request has its own connection.
  const upstream = createServer(async (incoming, response) => {
    const { socket } = incoming
    // A request that meets the close of its connection on the way is lost.
    if (performance.now() - (answeredAt.get(socket) ?? Infinity) >= idleMs) return void socket.destroy()
    const order = await text(incoming)
    orders.set(order, (orders.get(order) ?? 0) + 1)
    held.push(() => {
      answeredAt.set(socket, performance.now())
      response.end()
    })
  })
  // Node's own server would say in each answer how long it waits.
  upstream.keepAliveTimeout = 0
  const { port } = await startGateway({
    upstreamPort: await listen(upstream),
    pools: { keepAliveMs },
    environment: { ...highLimits, UPSTREAM_REQUESTS: '400' },
  })
  const agent = new Agent({ keepAlive: true })
  let statuses: (number | undefined)[] = []
  const post = async (body: string) => {
    const asked = request({ port, host: '127.0.0.1', method: 'POST', path: '/open', agent })
    asked.end(body)
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    answer.resume()
    statuses.push(answer.statusCode)
  }
  /** Sends each order after its wait; those that were not refused are answered together. */
  async function round(name: string, waitMs: (i: number) => number) {
    statuses = []
    const answered = Array.from({ length: count }, async (_, i) => {
      await sleep(waitMs(i))
      await post(`${name} ${i}`)
    })
    await expect.poll(() => held.length + statuses.length, { timeout: 10_000 }).toBe(count)
    for (const answer of held) answer()
    held = []
    await Promise.all(answered)
    return new Set(statuses)
  }
  expect(await round('first', () => 0)).toEqual(new Set([200]))
  // From before the gateway's idle time to after the upstream's.
  const spreadMs = idleMs - keepAliveMs + 300
  const second = await round('second', (i) => keepAliveMs - 150 + (i * spreadMs) / count)
  agent.destroy()
  expect(second).toEqual(new Set([200]))
  expect(orders.size).toBe(2 * count)
  expect(new Set(orders.values())).toEqual(new Set([1]))
})
