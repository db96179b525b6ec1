import { type Awaitable, chain } from '../../shared/lib/async.ts'
import type { RateLimitReporter } from '../origin-api/rate-limit-reporter.ts'
import { type Limiter, RateLimited } from '../rate-limit/limiter.ts'
import { type CountedOrForwarded, countOrForward, mayExceedLimits } from '../rate-limit/over-limit.ts'
import type { Decision } from './decision.ts'
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
  function settleByStatus(
    { settle, forwarded }: CountedOrForwarded,
    decision: Decision,
  ): Decision['settleLimits'] {
    if (settle) return (status) => settle(isFailedAttempt(status))
    if (forwarded)
      return (status) => {
        if (status === 429) report(forwarded.rejection, decision)
      }
    return undefined
  }

  /** Reports a 429 to the origin. */
  function report({ exceeded }: RateLimited, { request, route }: Decision): void {
    recordRejection({ limits: exceeded, method: request.method, route: route.path })
  }

  return {
    /** Throws or rejects with RateLimited. */
    consumeLimits(decision: Decision): Awaitable<void> {
      const { route, address, caller, request } = decision
      const applying = limits.of(address, route, caller)
      const counted: Awaitable<CountedOrForwarded> = mayExceedLimits(route, request.headers.cookie)
        ? countOrForward(() => limiter.count(applying, caller?.identity))
        : limiter.count(applying, caller?.identity)
      return chain(counted, (result) => {
        decision.limitHeaders = result.limitHeaders
        decision.overLimit = result.forwarded?.mark
        decision.settleLimits = settleByStatus(result, decision)
      })
    },

    /** Reports a rejection that a limit has caused, of this step or that of invalid tokens. */
    reportRateLimited(error: unknown, decision: Decision): void {
      if (error instanceof RateLimited && error.code === 'rate_limited') report(error, decision)
    },
  }
}
