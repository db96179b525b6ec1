import { RateLimiterRedis } from 'rate-limiter-flexible'
import type { HealthCheck } from '../../shared/http/health.ts'
import type { Log } from '../../shared/lib/log.ts'
import { redisFailure } from '../../shared/lib/redis-failure.ts'
import { connectRedis, type RedisClient } from '../../shared/node/redis.ts'
import type { OriginConfig } from '../config.ts'
import { createWindowCounter } from './window-counter.ts'

type LimitVariables = Extract<keyof OriginConfig, `LIMIT_${string}`>
type LimitConfig = Pick<OriginConfig, 'REDIS_URL' | 'REDIS_KEY_PREFIX' | LimitVariables>

/** The longest that Redis may delay an attempt. */
const commandTimeoutMs = 50

/** Far above the timeout of a command: only a lost connection is silent for so long. */
const silenceMs = 1500

/** Key of the health check; it limits nothing. */
const probeKey = 'probe'

/** The limits that the origin counts itself, in Redis where it is configured. */
export function createLimits(config: LimitConfig, log: Log) {
  const redis =
    config.REDIS_URL === undefined
      ? undefined
      : connectRedis(config.REDIS_URL, log, { commandTimeoutMs, silenceMs })
  const create = (name: string, quota: number, windowSeconds: number) =>
    createWindowCounter({ name, quota, windowSeconds, redis, keyPrefix: config.REDIS_KEY_PREFIX })
  const ofFailures = (name: string) => create(name, config.LIMIT_FAILURES, config.LIMIT_FAILURES_SECONDS)
  return {
    /** Failed logins of one address at one account. */
    login: create('login', config.LIMIT_CREDENTIALS_TRIES, config.LIMIT_CREDENTIALS_SECONDS),
    /**
     * How often the failed logins at one account were reset. The count lives as long as they do,
     * and limits nothing.
     */
    loginResets: create('login-resets', Number.MAX_SAFE_INTEGER, config.LIMIT_CREDENTIALS_SECONDS),
    /** Limits per address, for users that a service signs in; the gateway counts the others. */
    forwarded: {
      mail: create('mail', config.LIMIT_MAIL_REQUESTS, config.LIMIT_MAIL_SECONDS),
      credentials: ofFailures('credentials'),
      links: ofFailures('links'),
      refresh: ofFailures('refresh'),
      exchange: ofFailures('exchange'),
    },
    /** Where the limits are counted; undefined without Redis. */
    health: redis && createLimitsHealth(redis, config.REDIS_KEY_PREFIX),
    close: () => redis?.disconnect(),
  }
}

/**
 * Counts once like the limits: a Redis that replies to PING may reject writes or scripts.
 */
function createLimitsHealth(redis: RedisClient, keyPrefix: string) {
  const probe = new RateLimiterRedis({
    storeClient: redis,
    keyPrefix: `${keyPrefix}origin`,
    points: Number.MAX_SAFE_INTEGER,
    duration: 1,
    rejectIfRedisNotReady: true,
  })
  return async (): Promise<HealthCheck> => {
    const startedAt = performance.now()
    const timeMs = () => Math.round(performance.now() - startedAt)
    try {
      await probe.consume(probeKey)
      return { status: 'pass', time_ms: timeMs(), detail: 'redis' }
    } catch (error) {
      return { status: 'warn', time_ms: timeMs(), detail: `local, ${redisFailure(error)}` }
    }
  }
}
