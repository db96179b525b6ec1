import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import type { OverLimit } from '../../shared/http/over-limit.ts'
import type { RedisClient } from '../../shared/node/redis.ts'

interface WindowCounterOptions {
  /** The name in `violated-policies` and `RateLimit`. */
  name: string
  /** Requests or failures of one key in one window. */
  quota: number
  windowSeconds: number
  /**
   * The store that all origins share; without it this process counts alone. Its commands must fail
   * fast for the local fallback to work.
   */
  redis: RedisClient | undefined
  keyPrefix: string
}

export type WindowCounter = ReturnType<typeof createWindowCounter>

/**
 * Counts requests or failures by key in fixed windows. While Redis is down or read-only, each
 * origin allows half the quota.
 */
export function createWindowCounter({ name, quota, windowSeconds, redis, keyPrefix }: WindowCounterOptions) {
  const local = new RateLimiterMemory({
    keyPrefix: name,
    points: redis ? Math.max(1, Math.ceil(quota / 2)) : quota,
    duration: windowSeconds,
  })
  const shared =
    redis &&
    new RateLimiterRedis({
      storeClient: redis,
      keyPrefix: `${keyPrefix}origin:${name}`,
      points: quota,
      duration: windowSeconds,
      rejectIfRedisNotReady: true,
      insuranceLimiter: local,
    })

  /** A state that cannot be read counts as used up: the limit fails closed. */
  const isUsedUp = (state: RateLimiterRes | null): state is RateLimiterRes =>
    state !== null && !(state.msBeforeNext <= 0) && !(state.remainingPoints > 0)

  function exceeded({ msBeforeNext }: RateLimiterRes, ofQuota: number): OverLimit {
    const retryAfterSeconds = Math.ceil(msBeforeNext / 1000) || windowSeconds
    return {
      policies: [name],
      retryAfterSeconds,
      headers: {
        'ratelimit-policy': `"${name}";q=${ofQuota};w=${windowSeconds}`,
        ratelimit: `"${name}";r=0;t=${retryAfterSeconds}`,
      },
    }
  }

  /** Counts that Redis missed are in memory only, and still apply when Redis is back. */
  async function overLocally(key: string): Promise<OverLimit | undefined> {
    const state = await local.get(key)
    return isUsedUp(state) ? exceeded(state, local.points) : undefined
  }

  /** @returns the state after one more request, and whether that was within the quota */
  async function countOne(key: string): Promise<{ state: RateLimiterRes; isWithin: boolean }> {
    try {
      const state = await (shared ?? local).consume(key)
      return { state, isWithin: state.remainingPoints >= 0 }
    } catch (rejected) {
      if (!(rejected instanceof RateLimiterRes)) throw rejected
      return { state: rejected, isWithin: false }
    }
  }

  return {
    /**
     * For limits of requests. One write decides, so that concurrent requests do not exceed the
     * quota.
     *
     * @returns undefined where the request is within the quota
     */
    async consume(key: string): Promise<OverLimit | undefined> {
      const exceededLocally = await overLocally(key)
      if (exceededLocally) return exceededLocally
      const { state, isWithin } = await countOne(key)
      if (isWithin) return undefined
      return (await overLocally(key)) ?? exceeded(state, quota)
    },

    /**
     * For limits of failures. The race we accept: a key is read before an attempt and counted after
     * its failure, so that correct attempts never reject each other. Concurrent wrong attempts can
     * exceed the quota; the lockout bounds those.
     *
     * @returns undefined where the key is within the quota
     */
    async over(key: string): Promise<OverLimit | undefined> {
      const [here, everywhere] = await Promise.all([overLocally(key), shared?.get(key) ?? null])
      if (here) return here
      return isUsedUp(everywhere) ? exceeded(everywhere, quota) : undefined
    },

    /** @returns the count in the current window */
    async counted(key: string): Promise<number> {
      return (await (shared ?? local).get(key))?.consumedPoints ?? 0
    },

    /** Counts a failure. */
    async count(key: string): Promise<void> {
      await (shared ?? local).penalty(key)
    },
  }
}
