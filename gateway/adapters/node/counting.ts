import { check, type HealthCheck } from '../../../shared/health.ts'
import type { Log } from '../../../shared/log.ts'
import { connectRedis } from '../../../shared/node/redis.ts'
import { createFallbackCounter } from '../../counters.ts'
import type { Counter, Now } from '../../ports.ts'
import { createMemoryCounter } from '../memory.ts'
import { createRedisCounter } from '../redis.ts'

interface CountingOptions {
  /** Without one the gateway counts in its own memory, and says so. */
  redisUrl: string | undefined
  keyPrefix: string
  /** Gateways that share the traffic. */
  replicas: number
  now: Now
  log: Log
}

interface Counting {
  counter: Counter
  health: () => Promise<HealthCheck>
  close: () => void
}

/** Where the limits are counted: Redis with this process's memory behind it, or that memory alone. */
export function createCounting({ redisUrl, keyPrefix, replicas, now, log }: CountingOptions): Counting {
  if (!redisUrl) {
    log.warn({}, 'no REDIS_URL: limits count in memory, for this gateway alone')
    return {
      counter: createMemoryCounter({ shared: true, now }),
      health: async () => ({ status: 'pass', detail: 'memory' }),
      close: () => {},
    }
  }
  const redis = connectRedis(redisUrl, log)
  const counter = createFallbackCounter({
    shared: createRedisCounter(redis, keyPrefix),
    local: createMemoryCounter({ shared: false, now }),
    replicas,
    now,
    log,
  })
  return {
    counter,
    // Limits still hold without Redis, if less exactly: a warning, not a reason to send requests elsewhere.
    async health() {
      const { status, time_ms: timeMs = 0 } = await check(() => redis.ping(), 250)
      return status === 'pass'
        ? { status: 'pass', time_ms: timeMs, detail: 'redis' }
        : { status: 'warn', time_ms: timeMs, detail: 'local, redis does not answer' }
    },
    close: () => redis.disconnect(),
  }
}
