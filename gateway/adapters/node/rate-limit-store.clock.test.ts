import { afterEach, describe, expect, test } from 'vitest'
import { createCapturedLog } from '../../../test/support/captured-log.ts'
import {
  type GatewayWithRedis as Gateway,
  limiterOf,
  measure,
  startGatewayWithRedis,
  untilCounted,
} from '../../../test/support/gateway/gateway-with-redis.ts'
import { startPrivateRedis } from '../../../tools/servers/redis/redis.ts'
import { createRateLimitStore } from './rate-limit-store.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const startWithRedis = (quota?: number) => startGatewayWithRedis(closers, { quota })

/** Every request of an outage goes on within the cap of 50 ms and what this machine adds. */
async function expectQuickAnswers(gateway: Gateway) {
  const durations: number[] = []
  for (let i = 0; i < 10; i++) {
    const { status, durationMs } = await measure(gateway)
    expect(status).toBe(200)
    durations.push(durationMs)
  }
  expect(durations.toSorted((a, b) => a - b)[5]).toBeLessThan(100)
  const crowd = await Promise.all(Array.from({ length: 50 }, () => measure(gateway)))
  expect(Math.max(...durations, ...crowd.map(({ durationMs }) => durationMs))).toBeLessThan(1000)
}

describe('Redis killed', () => {
  test("200: requests are served at once, against this gateway's share; health warns and stays 200", async () => {
    const gateway = await startWithRedis()
    await expect
      .poll(() => limiterOf(gateway), { timeout: 3000 })
      .toEqual({ status: 'pass', limiter: 'pass', detail: 'redis' })
    await gateway.redis.kill()
    await expectQuickAnswers(gateway)
    expect((await measure(gateway)).quota).toBe(25)
    await expect
      .poll(() => limiterOf(gateway), { timeout: 3000 })
      .toMatchObject({ status: 'warn', limiter: 'warn' })
    expect((await gateway.harness.call('/ready')).status).toBe(200)
  })

  test('429: the share is a limit too, never open', async () => {
    const gateway = await startWithRedis(8)
    await gateway.redis.kill()
    const statuses: number[] = []
    for (let i = 0; i < 4; i++) statuses.push((await measure(gateway, '203.0.113.1')).status)
    expect(statuses).toEqual([200, 200, 429, 429])
  })

  test('counts come back to Redis when it is back, with a line in the log for each change', async () => {
    const gateway = await startWithRedis()
    await gateway.redis.kill()
    await untilCounted(gateway, 25)
    await gateway.redis.restart()
    await untilCounted(gateway, 100)
    expect((await limiterOf(gateway)).limiter).toBe('pass')
    const messages = gateway.lines.map((line) => (line as { msg: string }).msg)
    expect(messages).toContain('limits count locally')
    expect(messages).toContain('limits count in Redis again')
  })

  test('200: a caller over the local share is accepted once Redis is back', async () => {
    const gateway = await startWithRedis(8)
    await gateway.redis.kill()
    for (let i = 0; i < 3; i++) await measure(gateway, '203.0.113.2')
    expect((await measure(gateway, '203.0.113.2')).status).toBe(429)
    await gateway.redis.restart()
    await untilCounted(gateway, 8)
    expect((await measure(gateway, '203.0.113.2')).status).toBe(200)
  })
})

describe('Redis paused: connections stay open and get no response', () => {
  test('200: one wait of 50 ms, then requests are served at once', async () => {
    const gateway = await startWithRedis()
    gateway.redis.pause()
    const first = await measure(gateway)
    expect(first).toMatchObject({ status: 200, quota: 25 })
    expect(first.durationMs).toBeGreaterThanOrEqual(45)
    expect(first.durationMs).toBeLessThan(500)
    // The breaker: the next ones do not pay for finding it out again.
    const next = [await measure(gateway), await measure(gateway), await measure(gateway)]
    expect(Math.min(...next.map(({ durationMs }) => durationMs))).toBeLessThan(40)
    await expectQuickAnswers(gateway)
    await expect
      .poll(() => limiterOf(gateway), { timeout: 3000 })
      .toMatchObject({ status: 'warn', limiter: 'warn' })
  })

  test('counts come back to Redis when it goes on', async () => {
    const gateway = await startWithRedis()
    gateway.redis.pause()
    await untilCounted(gateway, 25)
    gateway.redis.resume()
    await untilCounted(gateway, 100)
    expect((await limiterOf(gateway)).limiter).toBe('pass')
  })
})

const one = { key: 'key', windowSeconds: 60, quota: 8, tokens: 1, withoutStore: 'share' } as const

describe('Redis that was never there', () => {
  test('200: the gateway starts and counts its share', async () => {
    const redis = await startPrivateRedis()
    await redis.stop()
    const { log } = createCapturedLog('gateway')
    const rateLimiting = createRateLimitStore({
      redisUrl: redis.url,
      keyPrefix: 'x:',
      replicas: 4,
      now: Date.now,
      log,
    })
    closers.push(rateLimiting.close)
    const results = await rateLimiting.rateLimitStore.consume([one])
    expect(results).toMatchObject([{ granted: 1, used: 1, quota: 2, shared: false }])
    expect(await rateLimiting.health()).toMatchObject({ status: 'warn' })
  })

  test('without REDIS_URL it counts in memory as the only gateway, and logs that', async () => {
    const { log, lines } = createCapturedLog('gateway')
    const rateLimiting = createRateLimitStore({
      redisUrl: undefined,
      keyPrefix: 'x:',
      replicas: 1,
      now: Date.now,
      log,
    })
    expect(await rateLimiting.rateLimitStore.consume([one])).toMatchObject([
      { granted: 1, used: 1, quota: 8, shared: true },
    ])
    expect(await rateLimiting.health()).toEqual({ status: 'pass', detail: 'memory' })
    expect(lines[0]?.msg).toContain('no REDIS_URL')
  })
})
