import { Redis } from 'ioredis'
import type { Log } from '../log.ts'

/**
 * A client that fails at once instead of queueing: with its defaults a lost Redis hangs its user for more than a minute.
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
