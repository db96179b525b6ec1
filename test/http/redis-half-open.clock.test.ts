import { afterEach, expect, test } from 'vitest'
import {
  limiterOf,
  measure,
  startGatewayWithRedis,
  untilCounted,
} from '../support/gateway/gateway-with-redis.ts'
import { createTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function start() {
  let proxy: TcpProxy | undefined
  const gateway = await startGatewayWithRedis(closers, {
    reach: async (url) => {
      proxy = await createTcpProxy({ host: '127.0.0.1', port: Number(new URL(url).port) })
      closers.push(proxy.close)
      return `redis://127.0.0.1:${proxy.port}`
    },
  })
  return { ...gateway, proxy: proxy as TcpProxy }
}

// A firewall that forgets a connection drops its packets: no reset, no end.
test('Redis connection that died silently: limits are local, shown so, and shared again within 5 s', async () => {
  const gateway = await start()
  const redis = gateway.rateLimiting.redis
  expect(redis?.isUp()).toBe(true)
  gateway.proxy.abandon()
  expect(await measure(gateway)).toMatchObject({ status: 200, quota: 25 })
  expect(redis?.isUp()).toBe(false)
  await untilCounted(gateway, 100)
  expect(redis?.isUp()).toBe(true)
  expect(await limiterOf(gateway)).toMatchObject({ limiter: 'pass', detail: 'redis' })
})

test('a gateway without requests: /ready finds the dead connection, and the next check passes', async () => {
  const gateway = await start()
  gateway.proxy.abandon()
  await expect.poll(() => limiterOf(gateway), { timeout: 3000 }).toMatchObject({ limiter: 'warn' })
  await expect.poll(() => limiterOf(gateway), { timeout: 5000 }).toMatchObject({ limiter: 'pass' })
})
