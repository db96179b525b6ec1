import { type Awaitable, chain } from '../../shared/lib/async.ts'
import type { Limit } from '../limits/limit-rule.ts'
import type { RateLimitReporter } from '../origin-api/rate-limit-reporter.ts'
import type { Limiter } from '../rate-limit/limiter.ts'
import { countOrForward, type LimitOutcome, mayExceedLimits } from '../rate-limit/over-limit.ts'
import { RateLimited } from '../rate-limit/rate-limited.ts'
import type { DecisionContext } from './decision-context.ts'
import type { RequestLimits } from './request-limits.ts'

interface ConsumeLimitsOptions {
  limits: RequestLimits
  limiter: Limiter
  recordRejection: RateLimitReporter['record']
}

/**
 * Statuses of a failed attempt: a credential was wrong, or the client left before the response.
 * Internal failures are not the caller's.
 */
const isFailedAttempt = (status: number) => [400, 401, 403, 499].includes(status)

/** Counts requests against the limits of their rows. */
export function createConsumeLimits({ limits, limiter, recordRejection }: ConsumeLimitsOptions) {
  function afterResponse(
    { endAttempt, forwarded }: LimitOutcome,
    decision: DecisionContext,
  ): DecisionContext['onResponseStatus'] {
    if (endAttempt) return (status) => endAttempt(isFailedAttempt(status) && !decision.isAttemptSucceeded)
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

  return {
    /** Throws or rejects with RateLimited. */
    consumeLimits(decision: DecisionContext): Awaitable<void> {
      const { row, caller, request } = decision
      const requestLimits = limits.forRequest(decision)
      const counted: Awaitable<LimitOutcome> = mayExceedLimits(row, request.headers.cookie)
        ? countOrForward(() => limiter.count(requestLimits, caller?.identity))
        : limiter.count(requestLimits, caller?.identity)
      return chain(counted, (result) => {
        decision.limitHeaders = result.limitHeaders
        decision.exceededLimits = result.forwarded?.exceededLimits
        decision.onResponseStatus = afterResponse(result, decision)
        decision.settleCosts = result.settleCosts
        if (result.reported.length > 0) report(result.reported, decision)
      })
    },

    /** Reports a rejection that a limit has caused, of this step or that of invalid tokens. */
    reportRateLimited(error: unknown, decision: DecisionContext): void {
      if (error instanceof RateLimited && error.code === 'rate_limited') report(error.exceeded, decision)
    },
  }
}
