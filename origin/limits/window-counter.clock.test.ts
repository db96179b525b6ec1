import { once } from 'node:events'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, test } from 'vitest'
import { connectRedis } from '../../shared/node/redis.ts'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { type PrivateRedis, startPrivateRedis } from '../../tools/servers/redis/redis.ts'
import { startRedisCluster } from '../../tools/servers/redis/redis-cluster.ts'
import { createWindowCounter, type WindowCounter } from './window-counter.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function startLimit(quota = 4) {
  const server = await startPrivateRedis()
  closers.push(server.stop)
  const connect = async () => {
    const redis = connectRedis(server.url, createCapturedLog('origin').log, { commandTimeoutMs: 50 })
    closers.push(() => redis.disconnect())
    await once(redis, 'ready')
    return redis
  }
  const create = async () =>
    createWindowCounter({
      name: 'login',
      quota,
      windowSeconds: 900,
      store: { kind: 'redis', redis: await connect() },
      keyPrefix: 'test:',
    })
  return { server, limit: await create(), other: await create() }
}

/** Failures that are let through, of up to ten. */
async function failUntilOver(limit: WindowCounter, key = 'a') {
  for (let failed = 0; failed < 10; failed++) {
    if (await limit.over(key)) return failed
    await limit.count(key)
  }
  return 10
}

test('over after as many failures as it has, for all origins alike, and another key is not', async () => {
  const { limit, other } = await startLimit()
  await limit.count('a')
  expect(await failUntilOver(other)).toBe(3)
  expect(await limit.over('b')).toBeUndefined()
  expect(await limit.over('a')).toEqual({
    policies: ['login'],
    retryAfterSeconds: 900,
    headers: { 'ratelimit-policy': '"login";q=4;w=900', ratelimit: '"login";r=0;t=900' },
  })
})

test('the window ends, and the count begins anew', async () => {
  const limit = createWindowCounter({
    name: 'login',
    quota: 1,
    windowSeconds: 1,
    store: undefined,
    keyPrefix: '',
  })
  expect(await failUntilOver(limit)).toBe(1)
  await expect.poll(() => limit.over('a'), { timeout: 3000 }).toBeUndefined()
})

// Nobody may gain tries by taking Redis down, by filling it, or by keeping it from answering.
test.each<[string, (server: PrivateRedis) => unknown]>([
  ['is killed', (server) => server.kill()],
  ['is paused', (server) => server.pause()],
])('half as many failures where Redis %s, never open, and no wait of seconds', async (_, harm) => {
  const { server, limit } = await startLimit()
  await harm(server)
  const startedAt = performance.now()
  expect(await failUntilOver(limit)).toBe(2)
  expect(performance.now() - startedAt).toBeLessThan(2000)
  expect((await limit.over('a'))?.headers).toMatchObject({ 'ratelimit-policy': '"login";q=2;w=900' })
  server.resume()
})

test('a cluster whose master is paused: half as many, no wait of seconds, shared after its failover', async () => {
  const cluster = await startRedisCluster()
  closers.push(cluster.stop)
  const createLimit = async () => {
    const { log } = createCapturedLog('origin')
    const redis = connectRedis(cluster.url, log, { commandTimeoutMs: 50, silenceMs: 1500 })
    closers.push(() => redis.disconnect())
    await once(redis, 'ready')
    return createWindowCounter({
      name: 'login',
      quota: 4,
      windowSeconds: 900,
      store: { kind: 'redis', redis },
      keyPrefix: 'test:',
    })
  }
  const [limit, other] = await Promise.all([createLimit(), createLimit()])
  const [first] = cluster.nodes
  const slots = await Promise.all(
    ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map(async (key) => {
      const slot = Number(await first?.admin.cluster('KEYSLOT', `test:origin:login:${key}`))
      return { key, isOfFirst: slot <= 5461 }
    }),
  )
  const ofFirst = slots.filter(({ isOfFirst }) => isOfFirst).map(({ key }) => key)
  const [key = '', later = ''] = ofFirst
  expect(ofFirst.length).toBeGreaterThan(1)
  first?.pause()
  const startedAt = performance.now()
  expect(await failUntilOver(limit, key)).toBe(2)
  expect(performance.now() - startedAt).toBeLessThan(2000)
  await expect
    .poll(
      async () => {
        await limit.count(later)
        return other.counted(later)
      },
      { timeout: 15_000, interval: 100 },
    )
    .toBeGreaterThan(0)
  first?.resume()
}, 60_000)

test('half as many failures where Redis can be read and accepts no writes', async () => {
  const { server, limit } = await startLimit()
  const admin = new Redis(server.url)
  closers.push(() => admin.disconnect())
  await admin.config('SET', 'maxmemory', '1')
  expect(await failUntilOver(limit)).toBe(2)
})

describe('a limit of requests', () => {
  const passed = async (limit: WindowCounter, requests: number) => {
    const outcomes = await Promise.all(Array.from({ length: requests }, () => limit.consume('a')))
    return outcomes.filter((exceeded) => !exceeded).length
  }

  test('allows at most its quota of concurrent requests, at all origins together', async () => {
    const { limit, other } = await startLimit()
    const counts = await Promise.all([passed(limit, 10), passed(other, 10)])
    expect(counts[0] + counts[1]).toBe(4)
    expect(await limit.consume('b')).toBeUndefined()
    expect(await limit.consume('a')).toEqual({
      policies: ['login'],
      retryAfterSeconds: 900,
      headers: { 'ratelimit-policy': '"login";q=4;w=900', ratelimit: '"login";r=0;t=900' },
    })
  })

  test('allows half as many where Redis is gone, and none in addition when it is back', async () => {
    const { server, limit } = await startLimit()
    server.pause()
    expect(await passed(limit, 10)).toBe(2)
    expect((await limit.consume('a'))?.headers).toMatchObject({ 'ratelimit-policy': '"login";q=2;w=900' })
    server.resume()
    expect(await passed(limit, 10)).toBe(0)
  })
})
