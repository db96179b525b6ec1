import { connect, createServer } from 'node:net'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, test } from 'vitest'
import { startPrivateRedis } from '../../tools/servers/redis/redis.ts'
import {
  limiterOf,
  measure,
  startGatewayWithRedis,
  untilCounted,
} from '../support/gateway/gateway-with-redis.ts'
import { closeSockets, listen } from '../support/gateway/sockets.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
  await closeSockets()
})

/** A gateway whose clock a test moves, so that the breaker's next trial is due. */
async function start() {
  let offsetMs = 0
  const gateway = await startGatewayWithRedis(closers, { now: () => Date.now() + offsetMs })
  const admin = new Redis(gateway.redis.url)
  closers.push(() => admin.disconnect())
  const untilTrial = () => {
    offsetMs += 1001
  }
  return { ...gateway, admin, untilTrial }
}

async function replicaOfAnother(admin: Redis) {
  const primary = await startPrivateRedis()
  closers.push(primary.stop)
  await admin.call('REPLICAOF', '127.0.0.1', new URL(primary.url).port)
}

interface Fault {
  /** As /ready names it. */
  code: string
  begin: (admin: Redis) => Promise<unknown>
  end: (admin: Redis) => Promise<unknown>
}

const faults: Record<string, Fault> = {
  'is full and evicts nothing': {
    code: 'OOM',
    begin: (admin) => admin.config('SET', 'maxmemory', '1'),
    end: (admin) => admin.config('SET', 'maxmemory', '0'),
  },
  'has become a replica, which takes no writes': {
    code: 'READONLY',
    begin: replicaOfAnother,
    end: (admin) => admin.call('REPLICAOF', 'NO', 'ONE'),
  },
  'has too few replicas to take writes': {
    code: 'NOREPLICAS',
    begin: (admin) => admin.config('SET', 'min-replicas-to-write', '1'),
    end: (admin) => admin.config('SET', 'min-replicas-to-write', '0'),
  },
  'lets this user run no scripts': {
    code: 'NOPERM',
    begin: (admin) => admin.call('ACL', 'SETUSER', 'default', '-eval', '-evalsha'),
    end: (admin) => admin.call('ACL', 'SETUSER', 'default', '+eval', '+evalsha'),
  },
}

describe.each(Object.entries(faults))('Redis that replies to PING and %s', (_what, { code, begin, end }) => {
  test('limits count locally, and headers, /ready, metrics and log say so; and that they are back', async () => {
    const gateway = await start()
    const { rateLimiting, harness, admin, lines } = gateway
    await expect.poll(() => limiterOf(gateway)).toEqual({ status: 'pass', limiter: 'pass', detail: 'redis' })
    // A look before the first connection is up finds no Redis, and says so.
    lines.length = 0
    await begin(admin)
    expect(await admin.ping()).toBe('PONG')
    expect(await measure(gateway)).toMatchObject({ status: 200, quota: 25 })
    expect(rateLimiting.redis?.isUp()).toBe(false)
    gateway.untilTrial()
    expect(await limiterOf(gateway)).toEqual({
      status: 'warn',
      limiter: 'warn',
      // The connection to a replica is made anew, as after a failover its name leads elsewhere.
      detail: expect.stringMatching(`^local, redis (refuses with ${code}|does not answer)$`),
    })
    expect((await harness.call('/ready')).status).toBe(200)
    const messages = () => lines.map(({ msg }) => msg).filter((msg) => /^limits/.test(String(msg)))
    expect(messages()).toEqual(['limits count locally'])

    await end(admin)
    await expect
      .poll(
        () => {
          gateway.untilTrial()
          return limiterOf(gateway)
        },
        { timeout: 5000 },
      )
      .toEqual({ status: 'pass', limiter: 'pass', detail: 'redis' })
    await untilCounted(gateway, 100)
    expect(rateLimiting.redis?.isUp()).toBe(true)
    expect(messages()).toEqual(['limits count locally', 'limits count in Redis again'])
  })

  test('warns in /ready though no request has met it', async () => {
    const gateway = await start()
    await begin(gateway.admin)
    gateway.untilTrial()
    expect(await limiterOf(gateway)).toMatchObject({ limiter: 'warn' })
    expect(gateway.rateLimiting.redis?.isUp()).toBe(false)
  })
})

// A script that finds a quota used up writes nothing, so that it succeeds where others fail.
test('a call that needs no write does not end the outage of a Redis that rejects writes', async () => {
  const gateway = await start()
  const { rateLimitStore, redis } = gateway.rateLimiting
  const usedUp = { key: 'used up', windowSeconds: 60, quota: 1, tokens: 1, withoutStore: 'share' } as const
  expect(await rateLimitStore.consume([usedUp])).toMatchObject([{ granted: 1, shared: true }])
  expect(await rateLimitStore.consume([usedUp])).toMatchObject([{ granted: 0, shared: true }])
  // A look before the first connection is up finds no Redis, and says so.
  gateway.lines.length = 0
  await gateway.admin.config('SET', 'maxmemory', '1')
  expect((await measure(gateway)).quota).toBe(25)
  for (let trial = 0; trial < 3; trial++) {
    gateway.untilTrial()
    expect(await rateLimitStore.consume([usedUp])).toMatchObject([{ shared: false }])
    expect(redis?.isUp()).toBe(false)
  }
  expect(gateway.lines.map(({ msg }) => msg)).not.toContain('limits count in Redis again')
})

test('Redis that loses its scripts gets them again: 200 at the whole quota', async () => {
  const { admin, ...gateway } = await start()
  await admin.script('FLUSH')
  expect(await measure(gateway)).toMatchObject({ status: 200, quota: 100 })
  expect(await limiterOf(gateway)).toMatchObject({ limiter: 'pass' })
})

test('Redis that wants a password which the gateway does not have: local, warn', async () => {
  const { admin, ...gateway } = await start()
  await admin.config('SET', 'requirepass', 'secret')
  await admin.call('CLIENT', 'KILL', 'SKIPME', 'yes')
  await untilCounted(gateway, 25)
  gateway.untilTrial()
  expect(await limiterOf(gateway)).toMatchObject({ status: 'warn', limiter: 'warn' })
})

test('Redis that takes longer than 50 ms, though PING comes back: local, warn', async () => {
  const gateway = await startGatewayWithRedis(closers, {
    isCounted: false,
    reach: async (url) => {
      const slow = createServer((socket) => {
        const redis = connect(Number(new URL(url).port), '127.0.0.1')
        for (const one of [socket, redis]) one.on('error', () => {})
        socket.on('close', () => redis.destroy())
        socket.on('data', (bytes) => setTimeout(() => redis.write(bytes), 80))
        redis.pipe(socket)
      })
      return `redis://127.0.0.1:${await listen(slow)}`
    },
  })
  await expect.poll(() => gateway.lines.some(({ msg }) => msg === 'redis connected')).toBe(true)
  await expect
    .poll(() => limiterOf(gateway), { timeout: 5000 })
    .toEqual({ status: 'warn', limiter: 'warn', detail: 'local, redis does not answer' })
  expect(await measure(gateway)).toMatchObject({ status: 200, quota: 25 })
})
