import type { UserLimit } from '../../shared/contract/user-limits.ts'
import { type Awaitable, chain } from '../../shared/lib/async.ts'
import type { Limit } from '../limits/limit-rule.ts'
import type { RateLimitReporter } from '../origin-api/rate-limit-reporter.ts'
import type { UsageReporter } from '../origin-api/usage-reporter.ts'
import type { Limiter } from '../rate-limit/limiter.ts'
import { countOrForward, type LimitOutcome, mayExceedLimits } from '../rate-limit/over-limit.ts'
import { type LimitState, RateLimited } from '../rate-limit/rate-limited.ts'
import type { DecisionContext } from './decision-context.ts'
import type { RequestLimits } from './request-limits.ts'

interface ConsumeLimitsOptions {
  limits: RequestLimits
  limiter: Limiter
  recordRejection: RateLimitReporter['record']
  recordUsage: UsageReporter['record']
}

/**
 * Statuses of a failed attempt: a credential was wrong, or the client left before the response.
 * Internal failures are not the caller's.
 */
const isFailedAttempt = (status: number) => [400, 401, 403, 499].includes(status)

const userLimitOf = ({ limit: { rule }, quota, remaining, resetMs }: LimitState): UserLimit => ({
  name: rule.name,
  quota,
  used: quota - remaining,
  window_seconds: rule.windowSeconds,
  reset_seconds: Math.max(0, Math.ceil(resetMs / 1000)),
})

/** Counts requests against the limits of their rows. */
export function createConsumeLimits(options: ConsumeLimitsOptions) {
  const { limits, limiter, recordRejection, recordUsage } = options

  function afterResponse(
    { endAttempt, forwarded }: LimitOutcome,
    decision: DecisionContext,
  ): DecisionContext['onResponseStatus'] {
    if (endAttempt) return (status) => endAttempt(isFailedAttempt(status) && !decision.isAttemptNotFailed)
    if (forwarded)
      return (status) => {
        if (status === 429) report(forwarded.rejection.exceeded, decision)
      }
    return undefined
  }

  /** Reports a 429 to the origin, or a request that a limit in report-only mode would reject. */
  function report(limits: readonly Limit[], { request, row }: DecisionContext): void {
    recordRejection({ limits, method: request.method, route: row.path })
  }

  /** The user's usage follows the limits that count it, with the costs that responses name. */
  function countUsage(
    requestLimits: readonly Limit[],
    { settleCosts }: LimitOutcome,
    decision: DecisionContext,
  ): void {
    const { caller } = decision
    if (!caller) {
      decision.settleCosts = settleCosts
      return
    }
    for (const { rule, cost } of requestLimits) if (rule.countsUsage) recordUsage(caller, rule.limit, cost)
    if (!settleCosts) return
    decision.settleCosts = (headers) => {
      for (const { limit, tokens } of settleCosts(headers))
        if (limit.rule.countsUsage) recordUsage(caller, limit.rule.limit, tokens)
    }
  }

  /** Reads the limits of the user, where the row passes them to the upstream. */
  function readLimits(decision: DecisionContext): Promise<UserLimit[]> | undefined {
    const { row, caller } = decision
    if (!caller || !row.passes.includes('limits')) return undefined
    return limiter.read(limits.ofUser(decision), caller.identity).then((states) => states.map(userLimitOf))
  }

  return {
    /** Throws or rejects with RateLimited. */
    consumeLimits(decision: DecisionContext): Awaitable<void> {
      const { row, caller, request } = decision
      const requestLimits = limits.forRequest(decision)
      const counted: Awaitable<LimitOutcome> = mayExceedLimits(row, request.headers.cookie)
        ? countOrForward(() => limiter.count(requestLimits, caller?.identity))
        : limiter.count(requestLimits, caller?.identity)
      const read = readLimits(decision)
      const applied = chain(counted, (result) => {
        decision.limitHeaders = result.limitHeaders
        decision.exceededLimits = result.forwarded?.exceededLimits
        decision.onResponseStatus = afterResponse(result, decision)
        countUsage(requestLimits, result, decision)
        if (result.reported.length > 0) report(result.reported, decision)
      })
      if (!read) return applied
      return Promise.all([applied, read]).then(([, userLimits]) => {
        decision.userLimits = userLimits
      })
    },

    /** Reports a rejection that a limit has caused, of this step or that of invalid tokens. */
    reportRateLimited(error: unknown, decision: DecisionContext): void {
      if (error instanceof RateLimited && error.code === 'rate_limited') report(error.exceeded, decision)
    },
  }
}
