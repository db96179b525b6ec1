import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createCapturedLog } from '../../../test/support/captured-log.ts'
import {
  type ClusterServer,
  type RedisCluster,
  startRedisCluster,
} from '../../../tools/servers/redis/redis-cluster.ts'
import type { ConsumeRequest } from '../../ports.ts'
import { hashSlot } from './hash-slot.ts'
import { createRateLimitStore, type RateLimitStoreHandle } from './rate-limit-store.ts'

const quota = 400
const replicas = 4
/** Share that one gateway grants by itself while Redis does not count. */
const share = quota / replicas

let cluster: RedisCluster
const gateways: RateLimitStoreHandle[] = []

beforeEach(async () => {
  cluster = await startRedisCluster()
  for (let i = 0; i < 2; i++) {
    const { log } = createCapturedLog('gateway')
    gateways.push(
      createRateLimitStore({ redisUrl: cluster.url, keyPrefix: '', replicas, now: Date.now, log }),
    )
  }
  await isShared()
})
afterEach(async () => {
  for (const { close } of gateways.splice(0)) close()
  await cluster.stop()
})

async function isShared() {
  for (const { health } of gateways)
    await expect.poll(health, { timeout: 15_000, interval: 100 }).toMatchObject({ status: 'pass' })
}

const requests = Array.from(
  { length: 30 },
  (_, i): ConsumeRequest => ({
    key: `user:${i}`,
    windowSeconds: 600,
    quota,
    tokens: 1,
    withoutStore: 'share',
  }),
)
const slotOf = ({ key }: ConsumeRequest) => hashSlot(`600:${key}`)
const node = (index: number) => cluster.nodes[index] as ClusterServer

/** Consumes of all keys at both gateways until stopped. A call that rejects fails the test. */
function startLoad() {
  const granted = requests.map(() => ({ shared: 0, local: 0 }))
  let calls = 0
  let slowestMs = 0
  let isStopping = false
  const running = gateways.map(async ({ rateLimitStore }) => {
    while (!isStopping) {
      const startedAt = performance.now()
      const results = await rateLimitStore.consume(requests)
      slowestMs = Math.max(slowestMs, performance.now() - startedAt)
      calls++
      for (const [i, result] of results.entries()) {
        const count = granted[i] as { shared: number; local: number }
        count[result.shared ? 'shared' : 'local'] += result.granted
      }
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  })
  return {
    granted,
    calls: () => calls,
    slowestMs: () => slowestMs,
    localAt: (isWanted: (request: ConsumeRequest) => boolean) =>
      granted
        .filter((_, i) => isWanted(requests[i] as ConsumeRequest))
        .reduce((sum, { local }) => sum + local, 0),
    async untilUsedUp() {
      await expect
        .poll(
          async () =>
            (await gateways[0]?.rateLimitStore.consume(requests))?.every(({ granted }) => granted === 0),
          {
            timeout: 15_000,
          },
        )
        .toBe(true)
      isStopping = true
      await Promise.all(running)
    },
  }
}

describe('under load, no call fails and no key gets more than its quota in Redis', () => {
  test('resharding: the slots of a third of the keys move', async () => {
    const load = startLoad()
    for (const request of requests.slice(0, 10)) {
      const from = Math.floor(slotOf(request) / 5462)
      await cluster.moveSlot(slotOf(request), node(from), node((from + 1) % 3))
    }
    await load.untilUsedUp()
    for (const { shared, local } of load.granted) {
      expect(shared).toBeLessThanOrEqual(quota)
      expect(local).toBeLessThanOrEqual(2 * share)
    }
    await isShared()
  })

  test('an ordered failover of each master', async () => {
    const load = startLoad()
    for (const index of [0, 1, 2]) {
      const replica = node(index + 3)
      await replica.admin.cluster('FAILOVER')
      await expect
        .poll(async () => (await cluster.masters(replica)).includes(replica.id), { timeout: 10_000 })
        .toBe(true)
    }
    await load.untilUsedUp()
    for (const { shared, local } of load.granted) {
      expect(shared).toBeLessThanOrEqual(quota)
      expect(local).toBeLessThanOrEqual(2 * share)
    }
    await isShared()
  })

  test.each([
    ['is killed', (server: ClusterServer) => server.kill()],
    ['is paused', (server: ClusterServer) => server.pause()],
  ])('a master %s: its keys count locally until its replica has taken over', async (_, harm) => {
    const load = startLoad()
    const startedAt = performance.now()
    await harm(node(0))
    for (const { health } of gateways)
      await expect.poll(health, { timeout: 5000, interval: 20 }).toMatchObject({ status: 'warn' })
    await isShared()
    expect(performance.now() - startedAt).toBeLessThan(15_000)
    await load.untilUsedUp()
    node(0).resume()
    // Counts that had not reached the replica are granted once more.
    for (const { shared, local } of load.granted) {
      expect(shared).toBeLessThan(quota + 20)
      expect(local).toBeLessThanOrEqual(2 * share)
    }
    expect(load.slowestMs()).toBeLessThan(1000)
  })
})
