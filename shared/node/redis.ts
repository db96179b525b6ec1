import { Redis } from 'ioredis'
import type { Log } from '../lib/log.ts'

/**
 * A client that fails at once instead of queueing: with its defaults a lost Redis hangs its user
 * for more than a minute.
 *
 * @param url redis:// or rediss://
 * @param commandTimeoutMs after which a command fails, as those of a paused Redis would wait for
 *   ever
 */
export function connectRedis(
  url: string,
  log: Log,
  { commandTimeoutMs }: { commandTimeoutMs?: number } = {},
): Redis {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 1000,
    ...(commandTimeoutMs !== undefined && { commandTimeout: commandTimeoutMs }),
    // After a failover the name leads elsewhere, and the connection still to what has become a
    // replica.
    reconnectOnError: ({ message }) => message.startsWith('READONLY'),
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
