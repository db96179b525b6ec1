import type { Log } from '../../shared/log.ts'
import { connectRedis } from '../../shared/node/redis.ts'
import type { OriginConfig } from '../build.ts'
import { createFailureLimit } from './failure-limit.ts'

type LimitConfig = Pick<
  OriginConfig,
  'REDIS_URL' | 'REDIS_KEY_PREFIX' | 'LIMIT_CREDENTIALS_TRIES' | 'LIMIT_CREDENTIALS_SECONDS'
>

/** The most that Redis may add to an attempt. */
const commandTimeoutMs = 50

/** The limits that the origin counts itself, in Redis where there is one. */
export function createLimits(config: LimitConfig, log: Log) {
  const redis =
    config.REDIS_URL === undefined ? undefined : connectRedis(config.REDIS_URL, log, { commandTimeoutMs })
  return {
    /** Failed logins of one address at one account. */
    login: createFailureLimit({
      name: 'login',
      failures: config.LIMIT_CREDENTIALS_TRIES,
      windowSeconds: config.LIMIT_CREDENTIALS_SECONDS,
      redis,
      keyPrefix: config.REDIS_KEY_PREFIX,
    }),
    close: () => redis?.disconnect(),
  }
}
