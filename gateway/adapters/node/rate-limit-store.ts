import type { HealthCheck } from '../../../shared/http/health.ts'
import { createHistogram, type Histogram } from '../../../shared/lib/histogram.ts'
import type { Log } from '../../../shared/lib/log.ts'
import { connectRedisCluster, connectRedisServer } from '../../../shared/node/redis.ts'
import { parseRedisUrl } from '../../../shared/redis-url.ts'
import type { Now, RateLimitStore } from '../../ports.ts'
import { createFallbackStore } from '../../rate-limit/fallback-store.ts'
import { createMemoryStore } from '../../rate-limit/memory-store.ts'
import { createRedisStore } from '../redis.ts'
import { createClusterStore } from './redis-cluster-store.ts'

interface RateLimitStoreOptions {
  /** Without Redis the gateway counts in its own memory, and logs that. */
  redisUrl: string | undefined
  keyPrefix: string
  /** Gateways that share the traffic. */
  replicas: number
  now: Now
  log: Log
}

export interface RateLimitStoreHandle {
  rateLimitStore: RateLimitStore
  /** State of Redis, if it is used. */
  redis: { isUp: () => boolean; callSeconds: Histogram } | undefined
  health: () => Promise<HealthCheck>
  close: () => void
}

/** Seconds. Calls time out after 0.05. */
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

interface CommonOptions extends Omit<RateLimitStoreOptions, 'redisUrl'> {
  /** Counts what the gateway cannot count in Redis. */
  local: RateLimitStore
  timeCalls: (store: RateLimitStore) => RateLimitStore
}

function countInServer(redisUrl: string, { keyPrefix, timeCalls, ...common }: CommonOptions) {
  const redis = connectRedisServer(redisUrl, common.log)
  const shared = timeCalls(createRedisStore(redis, keyPrefix))
  return { redis, rateLimitStore: createFallbackStore({ shared, ...common }) }
}

function countInCluster(redisUrl: string, common: CommonOptions) {
  const cluster = connectRedisCluster(redisUrl, common.log)
  return { redis: cluster, rateLimitStore: createClusterStore({ cluster, ...common }) }
}

/**
 * Creates the rate-limit store: Redis with this process's memory as fallback, or the memory alone.
 */
export function createRateLimitStore({
  redisUrl,
  keyPrefix,
  replicas,
  now,
  log,
}: RateLimitStoreOptions): RateLimitStoreHandle {
  if (!redisUrl) {
    log.warn({}, 'no REDIS_URL: limits count in memory, for this gateway alone')
    return {
      rateLimitStore: createMemoryStore({ shared: true, now }),
      redis: undefined,
      health: async () => ({ status: 'pass', detail: 'memory' }),
      close: () => {},
    }
  }
  const callSeconds = createHistogram(callBounds)
  const timeCalls = (store: RateLimitStore) => timed(store, callSeconds.add)
  const common = {
    keyPrefix,
    local: createMemoryStore({ shared: false, now }),
    replicas,
    timeCalls,
    now,
    log,
  }
  const isCluster = parseRedisUrl(redisUrl).mode === 'cluster'
  const { redis, rateLimitStore } = isCluster
    ? countInCluster(redisUrl, common)
    : countInServer(redisUrl, common)
  // A missing connection has opened the breaker: probe at once, so that limits are shared again
  // without a pause.
  redis.on('ready', () => void rateLimitStore.health())
  return {
    rateLimitStore,
    redis: { isUp: () => redis.status === 'ready' && !rateLimitStore.isLocal(), callSeconds },
    health: rateLimitStore.health,
    close: () => redis.disconnect(),
  }
}
