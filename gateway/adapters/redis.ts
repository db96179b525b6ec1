import type { Redis } from 'ioredis'
import type { RateLimitStore } from '../ports.ts'
import { rateLimitScript, readResults, scriptArgument, scriptKeys } from '../rate-limit/rate-limit-script.ts'

type Scripted = Redis & { consumeTokens(keyCount: number, ...args: (string | number)[]): Promise<string> }

/**
 * Fixed windows in Redis, all requests of a tick in one script call. A window ends with its
 * key.
 */
export function createRedisStore(redis: Redis, keyPrefix: string): RateLimitStore {
  redis.defineCommand('consumeTokens', { lua: rateLimitScript })
  const scripted = redis as Scripted

  return {
    async consume(requests) {
      if (redis.status !== 'ready') throw new Error(`redis is ${redis.status}`)
      const keys = scriptKeys(keyPrefix, requests)
      return readResults(
        requests,
        await scripted.consumeTokens(keys.length, ...keys, scriptArgument(requests)),
      )
    },
  }
}
