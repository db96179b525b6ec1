import { setTimeout as sleep } from 'node:timers/promises'
import { createRateLimitStore } from '../../gateway/adapters/node/rate-limit-store.ts'
import { createRedisStore } from '../../gateway/adapters/redis.ts'
import type { Limit, LimitRule } from '../../gateway/limits/limit-rule.ts'
import { createBatchedConsumer } from '../../gateway/rate-limit/batched-consumer.ts'
import { createMemoryStore } from '../../gateway/rate-limit/memory-store.ts'
import { createLog } from '../../shared/node/log.ts'
import { connectRedisServer } from '../../shared/node/redis.ts'
import { startPrivateRedis } from '../../tools/servers/redis/redis.ts'
import { startRedisCluster } from '../../tools/servers/redis/redis-cluster.ts'
import { printCosts } from './processor-cost.ts'

/** The cost of one request's limit at the gateway, 64 requests of 1,000 users under way at once. */

const concurrent = 64
const users = 1000
const server = await startPrivateRedis()
const redis = connectRedisServer(server.url, createLog('bench', 'error'))
await new Promise((resolve) => redis.once('ready', resolve))
const rateLimitStore = createRedisStore(redis, 'bench:')

const cluster = await startRedisCluster({ replicas: false })
const clusterLimits = createRateLimitStore({
  redisUrl: cluster.url,
  keyPrefix: 'bench:',
  replicas: 1,
  now: Date.now,
  log: createLog('bench', 'error'),
})
while ((await clusterLimits.health()).status !== 'pass') await sleep(20)

const window = { windowSeconds: 3600, withoutStore: 'share' } as const
const rule: LimitRule = {
  ...window,
  limit: 'user',
  name: 'user',
  window: 'fixed',
  quota: 0,
  failuresOnly: false,
  isReportOnly: false,
  mayBeRefunded: false,
  costHeader: undefined,
  countsUsage: true,
}

const limitOf = (number: number): Limit => ({
  rule,
  subject: `user-${number % users}`,
  quota: 100_000_000,
  cost: 1,
})

const limiterWith = (store: typeof rateLimitStore) =>
  createBatchedConsumer({ rateLimitStore: store, now: Date.now, defer: setImmediate })
const batched = limiterWith(rateLimitStore)
const inCluster = limiterWith(clusterLimits.rateLimitStore)
const inMemory = limiterWith(createMemoryStore({ shared: true, now: Date.now }))

function callAlone(number: number) {
  const { subject, quota } = limitOf(number)
  return rateLimitStore.consume([{ key: `alone:${subject}`, quota, ...window, tokens: 1 }])
}

await printCosts(
  [
    { name: 'one script call per request', work: callAlone },
    { name: 'one script call per tick', work: (number) => batched.consumeAll([limitOf(number)], undefined) },
    {
      name: 'one script call per tick and node, cluster of three',
      work: (number) => inCluster.consumeAll([limitOf(number)], undefined),
    },
    { name: 'in memory', work: (number) => inMemory.consumeAll([limitOf(number)], undefined) },
  ],
  { times: 50_000, concurrent },
)
redis.disconnect()
clusterLimits.close()
await Promise.all([server.stop(), cluster.stop()])
