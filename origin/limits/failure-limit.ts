import type { Redis } from 'ioredis'
import { RateLimiterMemory, RateLimiterRedis, type RateLimiterRes } from 'rate-limiter-flexible'
import type { OverLimit } from '../../shared/http/over-limit.ts'

interface FailureLimitOptions {
  /** As `violated-policies` and `RateLimit` say it. */
  name: string
  /** Failures of one key in one window. */
  failures: number
  windowSeconds: number
  /** Where all origins count; without it this process counts alone. Its commands must fail soon, or nothing stands in for it. */
  redis: Redis | undefined
  keyPrefix: string
}

export type FailureLimit = ReturnType<typeof createFailureLimit>

/**
 * Counts failures by key in fixed windows. While Redis is away, or takes no writes, each origin lets half as many fail.
 *
 * The race we accept: a key is looked at before an attempt and counted after it failed, so that attempts which turn out right never
 * refuse each other. Of many wrong ones at once more than the limit are let through here; the lockout bounds those.
 */
export function createFailureLimit({ name, failures, windowSeconds, redis, keyPrefix }: FailureLimitOptions) {
  const local = new RateLimiterMemory({
    keyPrefix: name,
    points: redis ? Math.max(1, Math.ceil(failures / 2)) : failures,
    duration: windowSeconds,
  })
  const shared =
    redis &&
    new RateLimiterRedis({
      storeClient: redis,
      keyPrefix: `${keyPrefix}origin:${name}`,
      points: failures,
      duration: windowSeconds,
      rejectIfRedisNotReady: true,
      insuranceLimiter: local,
    })

  /** An answer that cannot be read counts as over: never open. */
  const isOver = (state: RateLimiterRes | null): state is RateLimiterRes =>
    state !== null && !(state.msBeforeNext <= 0) && !(state.remainingPoints > 0)

  function exceeded({ msBeforeNext }: RateLimiterRes, quota: number): OverLimit {
    const retryAfterSeconds = Math.ceil(msBeforeNext / 1000) || windowSeconds
    return {
      policies: [name],
      retryAfterSeconds,
      headers: {
        'ratelimit-policy': `"${name}";q=${quota};w=${windowSeconds}`,
        ratelimit: `"${name}";r=0;t=${retryAfterSeconds}`,
      },
    }
  }

  return {
    /** @returns undefined where a key may try */
    async over(key: string): Promise<OverLimit | undefined> {
      // Failures that Redis took no note of are in memory alone, also where Redis can be read.
      const [here, everywhere] = await Promise.all([local.get(key), shared?.get(key) ?? null])
      if (isOver(here)) return exceeded(here, local.points)
      return isOver(everywhere) ? exceeded(everywhere, failures) : undefined
    },

    async failed(key: string): Promise<void> {
      await (shared ?? local).penalty(key)
    },
  }
}
