import type { Identity } from '../../shared/auth/claims.ts'
import type { RawHeaders } from '../../shared/http/headers.ts'
import { createBoundedMap } from '../../shared/lib/bounded-map.ts'
import type { EpochMs } from '../../shared/lib/time.ts'
import { type Limit, limitKey } from '../limits/limit-rule.ts'
import type { Now } from '../ports.ts'
import { createAttemptsInProgress } from './attempts-in-progress.ts'
import type { LimitConsumer, LimitResult } from './batched-consumer.ts'
import { costOfResponse } from './cost-header.ts'
import { type LimitState, limitHeadersOf, rejectRequest } from './rate-limited.ts'

/**
 * How a limit was decided: at the store that all gateways share, at this gateway's own store, or
 * from memory of an earlier rejection.
 */
export const limitModes = ['shared', 'local', 'remembered'] as const
export type LimitMode = (typeof limitModes)[number]

/** `reported` where the request is over a limit that rejects none. */
export const limitOutcomes = ['allowed', 'refused', 'reported'] as const
export type LimitOutcomeName = (typeof limitOutcomes)[number]

/** A request that is within its limits. */
export interface CountedRequest {
  /** RateLimit headers of the response, names and values in turn. */
  limitHeaders: Readonly<RawHeaders>
  /**
   * Called once when the request has ended, where there are limits that count failures alone:
   * refunds the tokens of those limits unless the request failed.
   */
  endAttempt: ((isFailure: boolean) => void) | undefined
  /**
   * Called with the headers of the upstream's response, where a limit takes its cost from them.
   *
   * @returns the tokens by which the cost of each limit changes
   */
  settleCosts: ((headers: Readonly<RawHeaders>) => CostChange[]) | undefined
  /** Limits that the request is over and that reject none. */
  reported: readonly Limit[]
}

export interface CostChange {
  limit: Limit
  tokens: number
}

interface LimiterOptions {
  limitConsumer: LimitConsumer
  now: Now
  /** Called with the name of each limit that applied to a request. */
  onDecision?: ((limit: string, mode: LimitMode, outcome: LimitOutcomeName) => void) | undefined
}

/** Cached keys over their limit; the map holds up to twice this (see bounded-map.ts). */
const maxRejectedKeys = 10_000

/** Longest time a rejection is cached where another gateway may refund tokens. */
const refundedRejectionMs = 1000

/** Retry-After of a request that found all tokens held by attempts in progress. */
const inProgressRetryMs = 1000

interface KnownRejection {
  /** End of the cache entry. */
  until: EpochMs
  resetAt: EpochMs
  quota: number
  cost: number
}

/** Shared by requests over no such limit; never modified. */
const none: readonly Limit[] = []

/**
 * Counts requests against their limits and formats the response's headers
 * (draft-ietf-httpapi-ratelimit-headers). It throws the 429 of `authenticateCaller` and of
 * `consumeLimits`; `over-limit.ts` makes that of slow bodies, and the origin those of its own.
 *
 * The parts of rate limiting, from the decision to Redis:
 *
 * - `limits/limit-schema.ts` has the limits of a policy file, `built-in-limits.ts` the others.
 * - `decision/request-limits.ts` finds the limits of a request, from its policy row and caller.
 * - `limiter.ts` counts them, and rejects the request that is over one of them.
 * - A `LimitConsumer` consumes the tokens of each limit: `batched-consumer.ts` in one store call
 *   per tick; `per-request-consumer.ts` in one call per request, where the runtime keeps no memory.
 * - A `RateLimitStore` grants the tokens of windows: Redis by `rate-limit-script.ts`,
 *   `memory-store.ts` in this process, and `fallback-store.ts` the first with the second behind it.
 * - `over-limit.ts` forwards a request over its failure limit where its row says so.
 */
export function createLimiter({ limitConsumer, now, onDecision = () => {} }: LimiterOptions) {
  const attempts = createAttemptsInProgress()
  const rejected = createBoundedMap<string, KnownRejection>(maxRejectedKeys)

  /** Checks the cache only, not the store. @throws RateLimited where the key is over its limit */
  function rejectKnown(limit: Limit): void {
    if (rejected.size === 0 || limit.rule.isReportOnly) return
    const key = limitKey(limit)
    const known = rejected.get(key)
    if (!known || limit.cost < known.cost) return
    // The window has ended, or the quota has risen with a change of plan.
    if (known.until <= now() || known.quota < limit.quota) {
      rejected.delete(key)
      return
    }
    const resetMs = known.resetAt - now()
    onDecision(limit.rule.limit, 'remembered', 'refused')
    const state = { limit, quota: limit.quota, remaining: 0, resetMs, isUnavailable: false }
    throw rejectRequest([state], [state], false)
  }

  /** @param latestRefund number of the latest refund when the store was called */
  function applyResults(
    limits: readonly Limit[],
    results: readonly LimitResult[],
    latestRefund: number,
  ): CountedRequest {
    const at = now()
    const states: LimitState[] = []
    let isOver = false
    let isAdjustable = false
    let reported: readonly Limit[] = none
    for (let index = 0; index < limits.length; index++) {
      const limit = limits[index] as Limit
      const { quota, used, resetAt, granted, shared, isUnavailable } = results[index] as LimitResult
      const { limit: name, isReportOnly, mayBeRefunded } = limit.rule
      if (mayBeRefunded) isAdjustable = true
      if (!granted && isReportOnly) reported = [...reported, limit]
      else if (!granted) isOver = true
      const outcome = granted ? 'allowed' : isReportOnly ? 'reported' : 'refused'
      onDecision(name, shared ? 'shared' : 'local', outcome)
      const remaining = Math.max(0, quota - used)
      states.push({ limit, quota, remaining, resetMs: resetAt - at, isUnavailable })
    }
    if (!isOver)
      return {
        limitHeaders: limitHeadersOf(states),
        endAttempt: isAdjustable ? beginAttempt(limits, results) : undefined,
        settleCosts: isAdjustable ? costSettlement(limits, results) : undefined,
        reported,
      }
    for (const [index, limit] of limits.entries()) {
      const result = results[index] as LimitResult
      if (result.granted && limit.rule.mayBeRefunded) refund(limit, result, limit.cost)
    }
    throw rejectionFor(states, results, latestRefund)
  }

  function beginAttempt(
    limits: readonly Limit[],
    results: readonly LimitResult[],
  ): CountedRequest['endAttempt'] {
    if (!limits.some(({ rule }) => rule.failuresOnly)) return undefined
    for (const limit of limits) if (limit.rule.failuresOnly) attempts.begin(limitKey(limit))
    return function endAttempt(isFailure) {
      for (const [index, limit] of limits.entries()) {
        if (!limit.rule.failuresOnly) continue
        attempts.end(limitKey(limit))
        const result = results[index] as LimitResult
        if (!isFailure && result.granted) refund(limit, result, limit.cost)
      }
    }
  }

  function costSettlement(
    limits: readonly Limit[],
    results: readonly LimitResult[],
  ): CountedRequest['settleCosts'] {
    if (!limits.some(({ rule }) => rule.costHeader !== undefined)) return undefined
    return function settleCosts(headers) {
      const changes: CostChange[] = []
      for (const [index, limit] of limits.entries()) {
        const { costHeader } = limit.rule
        const result = results[index] as LimitResult
        const cost =
          costHeader !== undefined && result.granted ? costOfResponse(headers, costHeader) : undefined
        if (cost === undefined || cost === limit.cost) continue
        changes.push({ limit, tokens: cost - limit.cost })
        if (cost < limit.cost) refund(limit, result, limit.cost - cost)
        else limitConsumer.adjust(limit, result, cost - limit.cost)
      }
      return changes
    }
  }

  function refund(limit: Limit, result: LimitResult, tokens: number): void {
    limitConsumer.adjust(limit, result, -tokens)
    const key = limitKey(limit)
    rejected.delete(key)
    attempts.recordRefund(key)
  }

  function rejectionFor(
    states: readonly LimitState[],
    results: readonly LimitResult[],
    latestRefund: number,
  ) {
    const over: LimitState[] = []
    let isInProgress = true
    for (const [index, state] of states.entries()) {
      const { granted, shared, resetAt } = results[index] as LimitResult
      const { limit } = state
      if (granted || limit.rule.isReportOnly) continue
      over.push(state)
      if (limit.rule.failuresOnly && attempts.mayBeRefunded(limitKey(limit), latestRefund)) {
        state.resetMs = Math.min(state.resetMs, inProgressRetryMs)
      } else {
        isInProgress = false
        // A local count ends when the shared store is back, so its rejections are not cached.
        if (shared) remember(limit, resetAt)
      }
    }
    return rejectRequest(over, states, isInProgress)
  }

  function remember(limit: Limit, resetAt: EpochMs): void {
    const { rule, quota, cost } = limit
    const until = rule.mayBeRefunded ? Math.min(now() + refundedRejectionMs, resetAt) : resetAt
    rejected.set(limitKey(limit), { until, resetAt, quota, cost })
  }

  return {
    /**
     * Reads windows, in the same call of the store that counts the requests of this tick.
     *
     * @param limits one at least, of cost 0
     */
    async read(limits: readonly Limit[], identity: Identity): Promise<LimitState[]> {
      const results = await limitConsumer.consumeAll(limits, identity)
      const at = now()
      return limits.map((limit, index) => {
        const { quota, used, resetAt, isUnavailable } = results[index] as LimitResult
        return { limit, quota, remaining: Math.max(0, quota - used), resetMs: resetAt - at, isUnavailable }
      })
    },

    /**
     * Counts one request against all its limits in one call. Throws or rejects with RateLimited,
     * which has the limits that are over, or with what `limitConsumer` throws.
     *
     * @param limits one at least
     * @param identity the signed-in user, if any
     */
    count(limits: readonly Limit[], identity?: Identity): Promise<CountedRequest> {
      for (const limit of limits) rejectKnown(limit)
      const latestRefund = attempts.latestRefund()
      return limitConsumer
        .consumeAll(limits, identity)
        .then((results) => applyResults(limits, results, latestRefund))
    },
  }
}

export type Limiter = ReturnType<typeof createLimiter>
