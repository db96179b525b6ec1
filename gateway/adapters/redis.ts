import type { Redis } from 'ioredis'
import { RateLimiterRedis } from 'rate-limiter-flexible'
import type { Counter } from '../ports.ts'
import { createWindows } from './windows.ts'

/** Fixed windows in Redis, one script call a key. */
export function createRedisCounter(redis: Redis, keyPrefix: string): Counter {
  return createWindows(
    (windowSeconds, points) =>
      new RateLimiterRedis({
        storeClient: redis,
        keyPrefix: `${keyPrefix}${windowSeconds}`,
        duration: windowSeconds,
        points,
        rejectIfRedisNotReady: true,
      }),
    true,
  )
}
