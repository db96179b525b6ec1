import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, test } from 'vitest'
import { createRedisStore } from '../../gateway/adapters/redis.ts'
import { connectRedisServer } from '../../shared/node/redis.ts'
import { startPrivateRedis } from '../../tools/servers/redis/redis.ts'
import { createCapturedLog } from '../support/captured-log.ts'
import { bearer } from '../support/full-stack/full-stack.ts'
import { createGatewayHarness } from '../support/gateway/gateway-harness.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const slidingSeconds = 10_000

/** A row whose limit slides over a time in which a test takes no notice of its own. */
const slidingPolicy = {
  name: 'policy.yaml',
  text: `limits: { search: { key: user, windows: [30/${slidingSeconds}s], window: sliding } }
routes:
  - { method: GET, path: /search, upstream: reports, who: user, limits: [search] }
`,
}

/** Gateways on a Redis of their own, which tells how many commands they needed. */
async function startGateways(replicas = 3, path = '/closed') {
  const server = await startPrivateRedis()
  closers.push(server.stop)
  const watcher = new Redis(server.url)
  closers.push(() => watcher.disconnect())
  const issuerKeys = await createGatewayHarness()
  const gateways = await Promise.all(
    Array.from({ length: replicas }, async () => {
      const redis = connectRedisServer(server.url, createCapturedLog('gateway').log)
      closers.push(() => redis.disconnect())
      await once(redis, 'ready')
      return createGatewayHarness({
        rateLimitStore: createRedisStore(redis, 'test:'),
        defer: setImmediate,
        keys: () => issuerKeys.issuer.jwks,
        policyFile: slidingPolicy,
        environment: { GATEWAY_REPLICAS: String(replicas) },
      })
    }),
  )

  /** A user with this quota, who asks gateways in turn, so many times at once. */
  async function createUser(quota: number) {
    const headers = bearer(await issuerKeys.issuer.sign({ quota }))
    let asked = 0
    const ask = async () => {
      const answer = await gateways[asked++ % replicas]?.call(path, { headers })
      return answer?.status
    }
    return {
      /** @returns how many passed */
      async ask(times: number, atOnce = 30): Promise<number> {
        let passed = 0
        for (let left = times; left > 0; left -= atOnce) {
          const statuses = await Promise.all(Array.from({ length: Math.min(atOnce, left) }, ask))
          passed += statuses.filter((status) => status === 200).length
        }
        return passed
      },
    }
  }

  return {
    createUser,
    /** Lets time pass for all windows: their keys expire so much earlier. */
    async advance(seconds: number) {
      for (const key of await watcher.keys('*'))
        await watcher.pexpire(key, (await watcher.pttl(key)) - seconds * 1000)
    },
    resetCommands: () => watcher.config('RESETSTAT'),
    /** Calls of the script; what a script does inside is counted apart. */
    async commands(): Promise<number> {
      const stats = await watcher.info('commandstats')
      return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce(
        (sum, [, calls]) => sum + Number(calls),
        0,
      )
    },
  }
}

describe('gateways on one Redis', () => {
  test('three gateways allow exactly the quota, for single and for concurrent requests', async () => {
    const { createUser } = await startGateways()
    for (const atOnce of [1, 7, 200]) expect(await (await createUser(150)).ask(220, atOnce)).toBe(150)
  })

  test('three gateways are exact on a sliding window, when it is new and when half of it has gone by', async () => {
    const { createUser, advance } = await startGateways(3, '/search')
    for (const atOnce of [1, 7, 40]) {
      const user = await createUser(1)
      expect(await user.ask(30, atOnce)).toBe(30)
      // The middle of the next bucket: half of the earlier one counts.
      await advance(1.5 * slidingSeconds)
      expect(await user.ask(40, atOnce)).toBe(15)
    }
  })

  test('each calls Redis once per tick of the event loop, for any number of requests and users', async () => {
    const { createUser, commands, resetCommands } = await startGateways(1)
    const users = await Promise.all(Array.from({ length: 40 }, () => createUser(1000)))
    await Promise.all(users.map((user) => user.ask(1)))
    await nextTurn()
    await resetCommands()
    for (let i = 0; i < 10; i++) await Promise.all(users.map((user) => user.ask(5, 5)))
    const asked = await commands()
    expect(asked).toBeGreaterThanOrEqual(10)
    // 2,000 requests; a crowd may be spread over a few turns.
    expect(asked).toBeLessThanOrEqual(40)
  })
})
