import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, expect, test } from 'vitest'
import { describeWith } from '../../test/support/vitest/describe-with.ts'
import type { Program } from '../../tools/servers/programs/find-program.ts'
import { startPrivateRedis } from '../../tools/servers/redis/redis.ts'
import { findValkeyBinary } from '../../tools/servers/redis/redis-binary.ts'
import type { ConsumeRequest, ConsumeResult } from '../ports.ts'
import { createMemoryStore } from '../rate-limit/memory-store.ts'
import { rateLimitScript, readResults, scriptArgument, scriptKeys } from '../rate-limit/rate-limit-script.ts'

const closers: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closers.reverse()) await close()
})

/**
 * The script with the clock of a test: it asks for the time that a key has left by that clock, and
 * the reply says how much the keys have after it.
 */
const scriptWithClock = `
local server, left = redis, {}
local redis = {call = function(name, key, ...)
  if name == 'PTTL' then return left[key] end
  if name == 'SET' then left[key] = select(3, ...) end
  return server.call(name, key, ...)
end}
local function consume(KEYS, ARGV)${rateLimitScript}
end
for i, key in ipairs(KEYS) do
  left[key] = tonumber(ARGV[i + 1])
  if left[key] <= 0 then server.call('DEL', key) end
end
local reply, ttls = consume(KEYS, ARGV), {}
for i, key in ipairs(KEYS) do ttls[i] = left[key] end
return {reply, cjson.encode(ttls)}`

function createStoreWithClock(redis: Redis, now: () => number) {
  const expiresAt = new Map<string, number>()

  return async function consume(requests: readonly ConsumeRequest[]): Promise<ConsumeResult[]> {
    const keys = scriptKeys('', requests)
    const before = keys.map((key) => (expiresAt.get(key) ?? 0) - now())
    const [reply, ttls] = (await redis.eval(
      scriptWithClock,
      keys.length,
      ...keys,
      scriptArgument(requests),
      ...before,
    )) as [string, string]
    for (const [index, ttl] of (JSON.parse(ttls) as number[]).entries())
      expiresAt.set(keys[index] as string, now() + ttl)
    return readResults(requests, reply)
  }
}

interface Step {
  advanceMs: number
  requests: ConsumeRequest[]
}

const windowSeconds = 10

const request = fc
  .record({
    key: fc.constantFrom('a', 'b'),
    isSliding: fc.boolean(),
    quota: fc.integer({ min: 1, max: 20 }),
    cost: fc.constantFrom(1, 1, 3),
    times: fc.integer({ min: 1, max: 8 }),
    isRefund: fc.constantFrom(false, false, false, true),
  })
  .map(
    ({ key, isSliding, quota, cost, times, isRefund }): ConsumeRequest => ({
      key,
      isSliding,
      windowSeconds,
      quota,
      cost,
      tokens: isRefund ? -times : times * cost,
      withoutStore: 'share',
    }),
  )

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    advanceMs: fc.oneof(
      fc.constantFrom(0, 1, 5000, 10_000, 20_000, 20_001),
      fc.integer({ min: 0, max: 12_000 }),
    ),
    requests: fc.array(request, { minLength: 1, maxLength: 4 }),
  }),
  { minLength: 5, maxLength: 30 },
)

/** Only the script knows the amount of a refund to a sliding window. */
const comparable = (requests: readonly ConsumeRequest[], results: readonly ConsumeResult[]) =>
  results.map(({ granted, used, quota, resetMs, bucketMs }, index) => {
    const { tokens, isSliding } = requests[index] as ConsumeRequest
    return tokens < 0 && isSliding ? { bucketMs } : { granted, used, quota, resetMs, bucketMs }
  })

async function verifySameWindows(url: string) {
  const redis = new Redis(url)
  closers.push(() => redis.disconnect())
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      await redis.flushdb()
      let nowMs = Date.UTC(2026, 0, 1)
      const now = () => nowMs
      const memory = createMemoryStore({ shared: true, now })
      const consumeInRedis = createStoreWithClock(redis, now)
      for (const { advanceMs, requests } of sequence) {
        nowMs += advanceMs
        const [inMemory, inRedis] = [await memory.consume(requests), await consumeInRedis(requests)]
        expect(comparable(requests, inMemory)).toEqual(comparable(requests, inRedis))
      }
    }),
    { numRuns: 150 },
  )
}

test('windows in memory and in Redis grant the same tokens at the same times', async () => {
  const server = await startPrivateRedis()
  closers.push(server.stop)
  await verifySameWindows(server.url)
}, 60_000)

const valkey = await findValkeyBinary()
describeWith('Valkey server', valkey !== undefined)('Valkey', () => {
  test('windows in memory and in Valkey grant the same tokens at the same times', async () => {
    const server = await startPrivateRedis({ program: valkey as Program })
    closers.push(server.stop)
    await verifySameWindows(server.url)
  }, 60_000)
})
