import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import type { OverLimit } from '../../shared/http/over-limit.ts'
import { createSharedLimiter, type LimitStore } from './limit-store.ts'

interface WindowCounterOptions {
  /** The name in `violated-policies` and `RateLimit`. */
  name: string
  /** Requests or failures of one key in one window. */
  quota: number
  windowSeconds: number
  /** The store that all origins share; without it this process counts alone. */
  store: LimitStore | undefined
  keyPrefix: string
}

/** A counted request, and the RateLimit headers of its response. */
export interface CountedRequest {
  overLimit: OverLimit | undefined
  headers: Record<string, string>
}

export type WindowCounter = ReturnType<typeof createWindowCounter>

/**
 * Counts requests or failures by key in fixed windows. While the store is down or read-only, each
 * origin allows half the quota.
 */
export function createWindowCounter({ name, quota, windowSeconds, store, keyPrefix }: WindowCounterOptions) {
  const local = new RateLimiterMemory({
    keyPrefix: name,
    points: store ? Math.max(1, Math.ceil(quota / 2)) : quota,
    duration: windowSeconds,
  })
  const shared =
    store &&
    createSharedLimiter(store, {
      keyPrefix: `${keyPrefix}origin:${name}`,
      points: quota,
      duration: windowSeconds,
      insuranceLimiter: local,
    })

  /** A state that cannot be read counts as used up: the limit fails closed. */
  const isUsedUp = (state: RateLimiterRes | null): state is RateLimiterRes =>
    state !== null && !(state.msBeforeNext <= 0) && !(state.remainingPoints > 0)

  const secondsLeft = ({ msBeforeNext }: RateLimiterRes) => Math.ceil(msBeforeNext / 1000) || windowSeconds

  const rateLimitHeaders = (ofQuota: number, remaining: number, seconds: number) => ({
    'ratelimit-policy': `"${name}";q=${ofQuota};w=${windowSeconds}`,
    ratelimit: `"${name}";r=${remaining};t=${seconds}`,
  })

  function exceeded(state: RateLimiterRes, ofQuota: number): OverLimit & { headers: Record<string, string> } {
    const retryAfterSeconds = secondsLeft(state)
    return {
      policies: [name],
      retryAfterSeconds,
      headers: rateLimitHeaders(ofQuota, 0, retryAfterSeconds),
    }
  }

  /** Counts that the store missed are in memory only, and still apply when it is back. */
  async function overLocally(key: string) {
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

  /** The headers of a request within the quota: those of the store, or of this process alone. */
  async function headersWithin(key: string, state: RateLimiterRes): Promise<Record<string, string>> {
    const here = await local.get(key)
    if (!here) return rateLimitHeaders(quota, state.remainingPoints, secondsLeft(state))
    const remaining = Math.min(here.remainingPoints, state.remainingPoints)
    return rateLimitHeaders(local.points, remaining, secondsLeft(here))
  }

  /** As `consume`, with the headers of the response. */
  async function countRequest(key: string): Promise<CountedRequest> {
    const exceededLocally = await overLocally(key)
    if (exceededLocally) return { overLimit: exceededLocally, headers: exceededLocally.headers }
    const { state, isWithin } = await countOne(key)
    if (isWithin) return { overLimit: undefined, headers: await headersWithin(key, state) }
    const overLimit = (await overLocally(key)) ?? exceeded(state, quota)
    return { overLimit, headers: overLimit.headers }
  }

  return {
    name,
    countRequest,

    /**
     * For limits of requests. One write decides, so that concurrent requests do not exceed the
     * quota.
     *
     * @returns undefined where the request is within the quota
     */
    consume: async (key: string): Promise<OverLimit | undefined> => (await countRequest(key)).overLimit,

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
