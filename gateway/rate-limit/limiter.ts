import type { Identity } from '../../shared/auth/claims.ts'
import { Problem } from '../../shared/http/errors.ts'
import { overLimitMembers } from '../../shared/http/over-limit.ts'
import { createBoundedMap } from '../../shared/lib/bounded-map.ts'
import type { EpochMs } from '../../shared/lib/time.ts'
import type { Now } from '../ports.ts'
import { createAttemptsInProgress } from './attempts-in-progress.ts'
import { type LimitConsumer, type LimitResult, limitKey } from './batched-consumer.ts'
import type { KeyedLimit } from './keyed-limit.ts'
import type { LimitClass } from './limit-classes.ts'

/** One limit of one request: `quota` requests in `windowSeconds` for one user or address. */
export interface Limit extends KeyedLimit {
  name: LimitClass
  /** Whether success refunds the token, so that only failures count. */
  failuresOnly: boolean
}

/** Wording for people, in the response. */
const describeLimit = ({ name, quota, windowSeconds, failuresOnly }: Limit) =>
  `${quota} ${failuresOnly ? 'failed attempts' : 'requests'} in ${windowSeconds} s (${name})`

/** Names and values in turn. */
export type RateLimitHeaders = readonly ['ratelimit-policy', string, 'ratelimit', string]

interface RateLimitedOptions {
  exceeded: readonly Limit[]
  /** Whether attempts in progress hold the last tokens, which their success would refund. */
  isInProgress: boolean
  limitHeaders: RateLimitHeaders
  retryAfterSeconds: number
}

/**
 * The response to a request over its limits: 429 `rate_limited`, or 503 `overloaded` where only
 * attempts in progress use the quota up.
 */
export class RateLimited extends Problem {
  readonly exceeded: readonly Limit[]
  readonly limitHeaders: RateLimitHeaders
  readonly retryAfterSeconds: number

  constructor({ exceeded, isInProgress, limitHeaders, retryAfterSeconds }: RateLimitedOptions) {
    const [policyName, policy, limitName, limit] = limitHeaders
    const headers = { [policyName]: policy, [limitName]: limit, 'retry-after': String(retryAfterSeconds) }
    if (isInProgress)
      super('overloaded', {
        headers,
        cause: `attempts in progress: ${exceeded.map(describeLimit).join(', ')}`,
      })
    else {
      const names = exceeded.map(({ name }) => name)
      super('rate_limited', { members: overLimitMembers(names, exceeded.map(describeLimit)), headers })
    }
    this.exceeded = exceeded
    this.limitHeaders = limitHeaders
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/**
 * How a limit was decided: at the store that all gateways share, at this gateway's own store, or
 * from memory of an earlier rejection.
 */
export const limitModes = ['shared', 'local', 'remembered'] as const
export type LimitMode = (typeof limitModes)[number]

/** A request that is within its limits. */
export interface CountedRequest {
  /** RateLimit headers of the response. */
  limitHeaders: RateLimitHeaders
  /**
   * Called once when the request has ended, where there are limits that count failures alone:
   * refunds the tokens of those limits unless the request failed.
   */
  endAttempt: ((isFailure: boolean) => void) | undefined
}

interface LimiterOptions {
  limitConsumer: LimitConsumer
  now: Now
  /** Called for each limit that applied to a request. */
  onDecision?: ((name: LimitClass, mode: LimitMode, isAllowed: boolean) => void) | undefined
}

/** Cached keys over their limit; the map holds up to twice this (see bounded-map.ts). */
const maxRejectedKeys = 10_000

/** Longest time a rejection is cached where another gateway may refund tokens. */
const failuresOnlyRejectionMs = 1000

/** Retry-After of a request that found all tokens held by attempts in progress. */
const inProgressRetryMs = 1000

/**
 * Counts requests against their limits and formats the response's headers
 * (draft-ietf-httpapi-ratelimit-headers). It throws the 429 of `authenticateCaller` and of
 * `consumeLimits`; `over-limit.ts` makes that of slow bodies, and the origin those of its own.
 *
 * The parts of rate limiting, from the decision to Redis:
 *
 * - `decision/request-limits.ts` finds the limits of a request, from its policy row and caller.
 * - `limiter.ts` counts them, and rejects the request that is over one of them.
 * - A `LimitConsumer` consumes one token of each limit: `batched-consumer.ts` in one store call per
 *   tick; `per-request-consumer.ts` in one call per request, where the runtime keeps no memory.
 * - A `RateLimitStore` grants the tokens of fixed windows: Redis by `rate-limit-script.ts`,
 *   `memory-store.ts` in this process, and `fallback-store.ts` the first with the second behind it.
 * - `over-limit.ts` forwards a request over its failure limit where its row says so.
 */
export function createLimiter({ limitConsumer, now, onDecision = () => {} }: LimiterOptions) {
  const attempts = createAttemptsInProgress()
  /** Rejected keys: end of the cache entry and of the window, and the quota that applied. */
  const rejected = createBoundedMap<string, { until: EpochMs; resetAt: EpochMs; quota: number }>(
    maxRejectedKeys,
  )

  /** Checks the cache only, not the store. @throws RateLimited where the key is over its limit */
  function rejectKnown(limit: Limit): void {
    if (rejected.size === 0) return
    const key = limitKey(limit)
    const known = rejected.get(key)
    if (!known) return
    // The window has ended, or the quota has risen with a change of plan.
    if (known.until <= now() || known.quota < limit.quota) {
      rejected.delete(key)
      return
    }
    const resetMs = known.resetAt - now()
    onDecision(limit.name, 'remembered', false)
    const state = { limit, quota: limit.quota, remaining: 0, resetMs }
    throw rateLimited([state], [state], false)
  }

  /** @param latestRefund number of the latest refund when the store was called */
  function applyResults(
    limits: readonly Limit[],
    results: readonly LimitResult[],
    latestRefund: number,
  ): CountedRequest {
    const at = now()
    const states = limits.map((limit, index): LimitState => {
      const { quota, used, resetAt, granted, shared } = results[index] as LimitResult
      onDecision(limit.name, shared ? 'shared' : 'local', granted)
      return { limit, quota, remaining: Math.max(0, quota - used), resetMs: resetAt - at }
    })
    if (results.every(({ granted }) => granted))
      return { limitHeaders: rateLimitHeaders(states), endAttempt: beginAttempt(limits, results) }
    for (const [index, limit] of limits.entries()) {
      const result = results[index] as LimitResult
      if (result.granted && limit.failuresOnly) refund(limit, result)
    }
    throw rejectionFor(states, results, latestRefund)
  }

  function beginAttempt(
    limits: readonly Limit[],
    results: readonly LimitResult[],
  ): CountedRequest['endAttempt'] {
    if (!limits.some(({ failuresOnly }) => failuresOnly)) return undefined
    for (const limit of limits) if (limit.failuresOnly) attempts.begin(limitKey(limit))
    return function endAttempt(isFailure) {
      for (const [index, limit] of limits.entries()) {
        if (!limit.failuresOnly) continue
        attempts.end(limitKey(limit))
        if (!isFailure) refund(limit, results[index] as LimitResult)
      }
    }
  }

  function refund(limit: Limit, result: LimitResult): void {
    limitConsumer.refund(limit, result)
    const key = limitKey(limit)
    rejected.delete(key)
    attempts.recordRefund(key)
  }

  function rejectionFor(
    states: readonly LimitState[],
    results: readonly LimitResult[],
    latestRefund: number,
  ): RateLimited {
    const over: LimitState[] = []
    let isInProgress = true
    for (const [index, state] of states.entries()) {
      const { granted, shared, resetAt } = results[index] as LimitResult
      if (granted) continue
      over.push(state)
      if (state.limit.failuresOnly && attempts.mayBeRefunded(limitKey(state.limit), latestRefund)) {
        state.resetMs = Math.min(state.resetMs, inProgressRetryMs)
      } else {
        isInProgress = false
        // A local count ends when the shared store is back, so its rejections are not cached.
        if (shared) remember(state.limit, resetAt)
      }
    }
    return rateLimited(over, states, isInProgress)
  }

  function remember(limit: Limit, resetAt: EpochMs): void {
    const until = limit.failuresOnly ? Math.min(now() + failuresOnlyRejectionMs, resetAt) : resetAt
    rejected.set(limitKey(limit), { until, resetAt, quota: limit.quota })
  }

  return {
    /**
     * Counts one request against all its limits in one call. Throws or rejects with RateLimited,
     * which has the limits that are over, or with what `limitConsumer` throws.
     *
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

interface LimitState {
  limit: Limit
  quota: number
  remaining: number
  resetMs: number
}

const inSeconds = (milliseconds: number) => Math.max(1, Math.ceil(milliseconds / 1000))

/** RateLimit-Policy and RateLimit, with one entry per limit in each. */
function rateLimitHeaders(states: readonly LimitState[]): RateLimitHeaders {
  let policies = ''
  let left = ''
  for (const { limit, quota, remaining, resetMs } of states) {
    const separator = policies === '' ? '' : ', '
    policies += `${separator}"${limit.name}";q=${quota};w=${limit.windowSeconds}`
    left += `${separator}"${limit.name}";r=${remaining};t=${inSeconds(resetMs)}`
  }
  return ['ratelimit-policy', policies, 'ratelimit', left]
}

const rateLimited = (over: readonly LimitState[], states: readonly LimitState[], isInProgress: boolean) =>
  new RateLimited({
    exceeded: over.map(({ limit }) => limit),
    isInProgress,
    limitHeaders: rateLimitHeaders(states),
    retryAfterSeconds: inSeconds(Math.max(...over.map(({ resetMs }) => resetMs))),
  })
