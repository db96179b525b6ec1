import type { Log } from '../../shared/lib/log.ts'
import { connectRedis } from '../../shared/node/redis.ts'
import type { OriginConfig } from '../config.ts'
import { createAddressLimit } from './address-limit.ts'

type LimitVariables = Extract<keyof OriginConfig, `LIMIT_${string}`>
type LimitConfig = Pick<OriginConfig, 'REDIS_URL' | 'REDIS_KEY_PREFIX' | LimitVariables>

/** The most that Redis may add to an attempt. */
const commandTimeoutMs = 50

/** The limits that the origin counts itself, in Redis where there is one. */
export function createLimits(config: LimitConfig, log: Log) {
  const redis =
    config.REDIS_URL === undefined ? undefined : connectRedis(config.REDIS_URL, log, { commandTimeoutMs })
  const create = (name: string, quota: number, windowSeconds: number) =>
    createAddressLimit({ name, quota, windowSeconds, redis, keyPrefix: config.REDIS_KEY_PREFIX })
  const ofFailures = (name: string) => create(name, config.LIMIT_FAILURES, config.LIMIT_FAILURES_SECONDS)
  return {
    /** Failed logins of one address at one account. */
    login: create('login', config.LIMIT_CREDENTIALS_TRIES, config.LIMIT_CREDENTIALS_SECONDS),
    /**
     * Times that the failed logins at one account were forgotten. The count lasts as long as those
     * do, and limits nothing.
     */
    loginResets: create('login-resets', Number.MAX_SAFE_INTEGER, config.LIMIT_CREDENTIALS_SECONDS),
    /** Of one address, for those whom a service signs in; the gateway counts the others. */
    forwarded: {
      mail: create('mail', config.LIMIT_MAIL_REQUESTS, config.LIMIT_MAIL_SECONDS),
      credentials: ofFailures('credentials'),
      links: ofFailures('links'),
      refresh: ofFailures('refresh'),
    },
    close: () => redis?.disconnect(),
  }
}
