import type { Redis } from 'ioredis'
import { createReplyTimeout } from '../../shared/lib/silence.ts'
import type { RateLimitStore } from '../ports.ts'
import { rateLimitScript, readResults, scriptArgument, scriptKeys } from '../rate-limit/rate-limit-script.ts'

type Scripted = Redis & { consumeTokens(keyCount: number, ...args: (string | number)[]): Promise<string> }

/**
 * Below the 1 s between two probes of an outage, so that the second probe replaces the connection.
 */
const silenceMs = 900

/**
 * Fixed windows in Redis, all requests of a tick in one script call. A window ends with its
 * key.
 */
export function createRedisStore(redis: Redis, keyPrefix: string): RateLimitStore {
  redis.defineCommand('consumeTokens', { lua: rateLimitScript })
  const scripted = redis as Scripted
  const silence = createReplyTimeout(silenceMs, () => redis.disconnect(true))

  return {
    async consume(requests) {
      if (redis.status !== 'ready') throw new Error(`redis is ${redis.status}`)
      const keys = scriptKeys(keyPrefix, requests)
      silence.sent()
      try {
        return readResults(
          requests,
          await scripted.consumeTokens(keys.length, ...keys, scriptArgument(requests)),
        )
      } finally {
        silence.answered()
      }
    },
  }
}
