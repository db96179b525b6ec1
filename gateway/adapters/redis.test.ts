import { afterEach, describe, expect, test } from 'vitest'
import { connectRedisServer } from '../../shared/node/redis.ts'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { createGatewayHarness } from '../../test/support/gateway/gateway-harness.ts'
import { parseList } from '../../test/support/structured-fields.ts'
import { redisForFile } from '../../tools/servers/redis/test-redis.ts'
import type { ConsumeRequest } from '../ports.ts'
import { createRedisStore } from './redis.ts'

const connections: { disconnect(): void }[] = []
afterEach(() => {
  for (const redis of connections.splice(0)) redis.disconnect()
})

/** One gateway's connection, ready. */
async function connect(url: string) {
  const redis = connectRedisServer(url, createCapturedLog('gateway').log)
  connections.push(redis)
  await new Promise((resolve) => redis.once('ready', resolve))
  return redis
}

const take = (more: Partial<ConsumeRequest> = {}): ConsumeRequest => ({
  key: 'key',
  windowSeconds: 60,
  quota: 10,
  tokens: 1,
  withoutStore: 'share',
  ...more,
})

async function startGateways(count: number, limit: number) {
  const url = await redisForFile()
  return Promise.all(
    Array.from({ length: count }, async () =>
      createGatewayHarness({
        rateLimitStore: createRedisStore(await connect(url), 'gatehouse:'),
        environment: { LIMIT_ADDRESS_REQUESTS: String(limit), GATEWAY_REPLICAS: String(count) },
      }),
    ),
  )
}

describe('limits on a real Redis', () => {
  test('two gateways share one count, and each allows the whole limit', async () => {
    const [one, other] = await startGateways(2, 4)
    const statuses: number[] = []
    for (const harness of [one, other, one, one, other, one])
      statuses.push((await harness?.call('/open'))?.status ?? 0)
    expect(statuses).toEqual([200, 200, 200, 200, 429, 429])
  })

  test('the remaining tokens are those of the shared count', async () => {
    const [one, other] = await startGateways(2, 10)
    await one?.call('/open')
    const answer = await other?.call('/open')
    expect(parseList(answer?.headers.get('ratelimit') ?? null)[0]?.parameters).toEqual({ r: 8, t: 900 })
  })

  test('exactly the limit passes of 120 requests at once through three gateways', async () => {
    const harnesses = await startGateways(3, 50)
    const answers = await Promise.all(
      Array.from({ length: 120 }, (_, index) => harnesses[index % 3]?.call('/open')),
    )
    expect(answers.filter((answer) => answer?.status === 200)).toHaveLength(50)
    expect(answers.filter((answer) => answer?.status === 429)).toHaveLength(70)
  })

  test('keys have the prefix and expire with their window', async () => {
    const redis = await connect(await redisForFile())
    await createRedisStore(redis, 'shop:').consume([take({ key: 'address:203.0.113.7' })])
    const [key = ''] = await redis.keys('*')
    expect(key).toMatch(/^shop:/)
    expect(await redis.ttl(key)).toBeGreaterThan(55)
    expect(await redis.ttl(key)).toBeLessThanOrEqual(60)
  })

  test('one window does not count for another of the same key', async () => {
    const redis = await connect(await redisForFile())
    const rateLimitStore = createRedisStore(redis, 'x:')
    const results = await rateLimitStore.consume([take(), take(), take({ windowSeconds: 3600 })])
    expect(results.map(({ used }) => used)).toEqual([1, 2, 1])
  })
})
