import { Redis } from 'ioredis'
import type { Log } from '../lib/log.ts'

export type RedisClient = Redis

interface ConnectOptions {
  /** After which a command fails, as those of a paused Redis would wait for ever. */
  commandTimeoutMs?: number
  /**
   * How long Redis may owe a reply and send nothing before the connection is replaced: a network
   * can lose a connection without closing it. Undefined where the caller watches that itself.
   */
  silenceMs?: number
}

/** From the connection to the end of its handshake. */
const handshakeMs = 2000

/** Between the end that we send and the end of a socket whose other side sends none. */
const disconnectMs = 100

/**
 * A client that fails at once instead of queueing: with its defaults a lost Redis hangs its user
 * for more than a minute.
 *
 * @param url redis:// or rediss://
 */
export function connectRedis(
  url: string,
  log: Log,
  { commandTimeoutMs, silenceMs }: ConnectOptions = {},
): Redis {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 1000,
    disconnectTimeout: disconnectMs,
    ...(commandTimeoutMs !== undefined && { commandTimeout: commandTimeoutMs }),
    ...(silenceMs !== undefined && { socketTimeout: silenceMs }),
    // After a failover the name leads elsewhere, and the connection still to what has become a
    // replica.
    reconnectOnError: ({ message }) => message.startsWith('READONLY'),
    retryStrategy: (attempt) => Math.min(attempt * 100, 1000),
  })
  endSilentHandshakes(redis)
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

/** Connecting again is the only way on from a connection whose handshake gets no reply. */
function endSilentHandshakes(redis: Redis): void {
  let deadline: ReturnType<typeof setTimeout> | undefined
  redis.on('connect', () => {
    clearTimeout(deadline)
    deadline = setTimeout(() => redis.disconnect(true), handshakeMs)
  })
  redis.on('ready', () => clearTimeout(deadline))
  redis.on('close', () => clearTimeout(deadline))
}
