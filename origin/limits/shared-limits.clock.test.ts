import { Redis } from 'ioredis'
import { afterEach, expect, test } from 'vitest'
import { createFullStack } from '../../test/support/full-stack/full-stack.ts'
import { metricValues } from '../../test/support/metric-values.ts'
import { createTcpProxy } from '../../test/support/tcp-proxy.ts'
import { startPrivateRedis } from '../../tools/servers/redis/redis.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function start() {
  const server = await startPrivateRedis()
  closers.push(server.stop)
  const proxy = await createTcpProxy({ host: '127.0.0.1', port: server.port })
  closers.push(proxy.close)
  const fullStack = await createFullStack({ environment: { REDIS_URL: `redis://127.0.0.1:${proxy.port}` } })
  closers.push(fullStack.close)
  const admin = new Redis(server.url)
  closers.push(() => admin.disconnect())
  const limiter = async () => {
    const ready = await fullStack.originFetch('/ready')
    expect(ready.status).toBe(200)
    return ((await ready.json()) as { checks: Record<string, unknown> }).checks.limiter
  }
  const redisUp = async () =>
    (await metricValues(fullStack.originRegistry)).value('gatehouse_origin_redis_up')
  const shared = { status: 'pass', detail: 'redis' }
  await expect.poll(limiter, { timeout: 5000 }).toMatchObject(shared)
  await expect.poll(redisUp).toBe(1)
  return { proxy, admin, limiter, redisUp, shared }
}

test('200, limiter warn: an ACL without EVAL, though Redis takes other writes', async () => {
  const { admin, limiter, redisUp, shared } = await start()
  await admin.call('ACL', 'SETUSER', 'default', '-eval', '-evalsha')
  expect(await limiter()).toMatchObject({ status: 'warn', detail: 'local, redis refuses with NOPERM' })
  expect(await redisUp()).toBe(0)
  await admin.call('ACL', 'SETUSER', 'default', '+eval', '+evalsha')
  expect(await limiter()).toMatchObject(shared)
})

test('connections that died silently: limits warn at once, and are shared again within 5 s', async () => {
  const { proxy, limiter, redisUp, shared } = await start()
  proxy.abandon()
  expect(await limiter()).toMatchObject({ status: 'warn', detail: 'local, redis does not answer' })
  expect(await redisUp()).toBe(0)
  await expect.poll(limiter, { timeout: 5000 }).toMatchObject(shared)
  await expect.poll(redisUp, { timeout: 5000 }).toBe(1)
})

test('200, limiter warn: replies that take longer than 50 ms', async () => {
  const { proxy, limiter } = await start()
  proxy.delay(40)
  proxy.abandon()
  await expect.poll(limiter, { timeout: 5000 }).toMatchObject({ status: 'warn' })
  await expect.poll(proxy.opened, { timeout: 5000 }).toBeGreaterThan(2)
  expect(await limiter()).toMatchObject({ status: 'warn' })
})
