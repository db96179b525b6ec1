import { RateLimiterRedis } from 'rate-limiter-flexible'
import type { HealthCheck } from '../../shared/http/health.ts'
import type { Log } from '../../shared/lib/log.ts'
import { redisFailure } from '../../shared/lib/redis-failure.ts'
import { connectRedis, type RedisClient } from '../../shared/node/redis.ts'
import type { OriginConfig } from '../config.ts'
import type { Sql } from '../db/types.ts'
import type { LimitStore } from './limit-store.ts'
import { createWindowCounter } from './window-counter.ts'

type LimitVariables = Extract<keyof OriginConfig, `LIMIT_${string}`>
type LimitConfig = Pick<OriginConfig, 'REDIS_URL' | 'REDIS_KEY_PREFIX' | LimitVariables>

/** The longest that Redis may delay an attempt. */
const commandTimeoutMs = 50

/** Far above the timeout of a command: only a lost connection is silent for so long. */
const silenceMs = 1500

/** Key of the health check; it limits nothing. */
const probeKey = 'probe'

/** The window of mails, as the names of their variables say. */
const mailSeconds = 3600

/** The limits that the origin counts itself: in Redis where it is configured, else in Postgres. */
export function createLimits(config: LimitConfig, sql: Sql, log: Log) {
  const redis =
    config.REDIS_URL === undefined
      ? undefined
      : connectRedis(config.REDIS_URL, log, { commandTimeoutMs, silenceMs })
  const store: LimitStore = redis ? { kind: 'redis', redis } : { kind: 'postgres', sql }
  const create = (name: string, quota: number, windowSeconds: number) =>
    createWindowCounter({ name, quota, windowSeconds, store, keyPrefix: config.REDIS_KEY_PREFIX })
  const ofFailures = (name: string) => create(name, config.LIMIT_FAILURES, config.LIMIT_FAILURES_SECONDS)
  const ofMails = (name: string, quota: number) => create(name, quota, mailSeconds)
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
    /** Requests of one client with its own token. */
    service: create('service', config.LIMIT_SERVICE_REQUESTS, config.LIMIT_SERVICE_SECONDS),
    /** Mails that anybody can cause, by network address, by mailbox and by domain. */
    mails: {
      sender: ofMails('mail_sender', config.LIMIT_SENDER_MAILS),
      recipient: ofMails('mail_recipient', config.LIMIT_RECIPIENT_MAILS),
      domain: ofMails('mail_domain', config.LIMIT_DOMAIN_MAILS),
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
