import { Redis } from 'ioredis'
import { RateLimiterRedis } from 'rate-limiter-flexible'
import type { Log } from '../../shared/log.ts'
import type { Counter } from '../ports.ts'
import { createWindows } from './windows.ts'

/**
 * A client that fails at once instead of queueing: with its defaults a lost Redis hangs the gateway for more than a minute.
 *
 * @param url redis:// or rediss://
 */
export function connectRedis(url: string, log: Log): Redis {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 1000,
    retryStrategy: (attempt) => Math.min(attempt * 100, 1000),
  })
  let state: 'unknown' | 'up' | 'down' = 'unknown'
  redis.on('ready', () => {
    state = 'up'
    log.info({}, 'redis connected')
  })
  redis.on('error', (error: Error) => {
    // Each attempt to connect again fails alike: the first says it all.
    if (state !== 'down') log.warn({ err: error }, state === 'up' ? 'redis lost' : 'redis not reached')
    state = 'down'
  })
  return redis
}

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
