import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import type { OverLimit } from '../../shared/http/over-limit.ts'
import type { RedisClient } from '../../shared/node/redis.ts'

interface AddressLimitOptions {
  /** As `violated-policies` and `RateLimit` say it. */
  name: string
  /** Requests or failures of one key in one window. */
  quota: number
  windowSeconds: number
  /**
   * Where all origins count; without it this process counts alone. Its commands must fail soon, or
   * nothing stands in for it.
   */
  redis: RedisClient | undefined
  keyPrefix: string
}

export type AddressLimit = ReturnType<typeof createAddressLimit>

/**
 * Counts requests or failures by key in fixed windows. While Redis is away, or takes no writes,
 * each origin allows half the quota.
 */
export function createAddressLimit({ name, quota, windowSeconds, redis, keyPrefix }: AddressLimitOptions) {
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

  /** A state that cannot be read counts as used up: never open. */
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

  /** A count that Redis did not take is in memory alone, and still holds when Redis is back. */
  async function overHere(key: string): Promise<OverLimit | undefined> {
    const state = await local.get(key)
    return isUsedUp(state) ? exceeded(state, local.points) : undefined
  }

  /** @returns the state after counting one more, and whether that one was within the quota */
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
     * For limits of requests. The decision is the one write, so of many at once no more than the
     * quota pass.
     *
     * @returns undefined where this one may go on
     */
    async consume(key: string): Promise<OverLimit | undefined> {
      const exceededHere = await overHere(key)
      if (exceededHere) return exceededHere
      const { state, isWithin } = await countOne(key)
      if (isWithin) return undefined
      return (await overHere(key)) ?? exceeded(state, quota)
    },

    /**
     * For limits of failures. The race we accept: a key is looked at before an attempt and counted
     * after it failed, so that attempts which turn out right never refuse each other. Of many wrong
     * ones at once more than the quota are let through here; the lockout bounds those.
     *
     * @returns undefined where a key may try
     */
    async over(key: string): Promise<OverLimit | undefined> {
      const [here, everywhere] = await Promise.all([overHere(key), shared?.get(key) ?? null])
      if (here) return here
      return isUsedUp(everywhere) ? exceeded(everywhere, quota) : undefined
    },

    /** @returns how many are counted in this window */
    async counted(key: string): Promise<number> {
      return (await (shared ?? local).get(key))?.consumedPoints ?? 0
    },

    /** Counts a failure. */
    async count(key: string): Promise<void> {
      await (shared ?? local).penalty(key)
    },
  }
}
