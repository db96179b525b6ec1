import type { HealthCheck } from '../../../shared/http/health.ts'
import { createHistogram, type Histogram } from '../../../shared/lib/histogram.ts'
import type { Log } from '../../../shared/lib/log.ts'
import { connectRedis } from '../../../shared/node/redis.ts'
import type { Now, RateLimitStore } from '../../ports.ts'
import { createFallbackStore } from '../../rate-limit/fallback-store.ts'
import { createMemoryStore } from '../../rate-limit/memory-store.ts'
import { createRedisStore } from '../redis.ts'

interface CountingOptions {
  /** Without one the gateway counts in its own memory, and says so. */
  redisUrl: string | undefined
  keyPrefix: string
  /** Gateways that share the traffic. */
  replicas: number
  now: Now
  log: Log
}

export interface RateLimiting {
  rateLimitStore: RateLimitStore
  /** What is known of Redis, where there is one. */
  redis: { isUp: () => boolean; callSeconds: Histogram } | undefined
  health: () => Promise<HealthCheck>
  close: () => void
}

/** Seconds. A call is given up after 0.05. */
const callBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1]

/** The same store, whose calls are timed, whether or not they succeed. */
function timed(rateLimitStore: RateLimitStore, onCall: (seconds: number) => void): RateLimitStore {
  return {
    async consume(requests) {
      const startedAt = performance.now()
      try {
        return await rateLimitStore.consume(requests)
      } finally {
        onCall((performance.now() - startedAt) / 1000)
      }
    },
  }
}

/**
 * Where the limits are counted: Redis with this process's memory behind it, or that memory alone.
 */
export function createRateLimiting({
  redisUrl,
  keyPrefix,
  replicas,
  now,
  log,
}: CountingOptions): RateLimiting {
  if (!redisUrl) {
    log.warn({}, 'no REDIS_URL: limits count in memory, for this gateway alone')
    return {
      rateLimitStore: createMemoryStore({ shared: true, now }),
      redis: undefined,
      health: async () => ({ status: 'pass', detail: 'memory' }),
      close: () => {},
    }
  }
  const redis = connectRedis(redisUrl, log)
  const callSeconds = createHistogram(callBounds)
  const rateLimitStore = createFallbackStore({
    shared: timed(createRedisStore(redis, keyPrefix), callSeconds.add),
    local: createMemoryStore({ shared: false, now }),
    replicas,
    now,
    log,
  })
  // A connection that was not there yet, or was lost, opened the breaker: no pause keeps limits
  // local from here on.
  redis.on('ready', () => void rateLimitStore.health())
  return {
    rateLimitStore,
    redis: { isUp: () => redis.status === 'ready' && !rateLimitStore.isLocal(), callSeconds },
    health: rateLimitStore.health,
    close: () => redis.disconnect(),
  }
}
