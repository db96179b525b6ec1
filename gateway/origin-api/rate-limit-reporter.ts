import type { RateLimitReport } from '../../shared/contract.ts'
import { createBatchReporter } from '../../shared/lib/batch-reporter.ts'
import type { Log } from '../../shared/lib/log.ts'
import type { Limit } from '../limits/limit-rule.ts'
import type { WaitUntil } from '../ports.ts'

interface RateLimitReporterOptions {
  /** Sends a batch to the origin; has its own timeout. */
  post: (batch: RateLimitReport) => Promise<unknown>
  waitUntil?: WaitUntil | undefined
  log: Log
}

/** A request over limits; `route` is the path of its policy row. */
interface RejectedRequest {
  limits: readonly Limit[]
  method: string
  route: string
}

/** Reports rate-limited requests, counted by limit, caller, method and route. */
export function createRateLimitReporter({ post, waitUntil, log }: RateLimitReporterOptions) {
  const { record, ...rest } = createBatchReporter<RateLimitReport['refusals'][number]>({
    of: 'refusals',
    to: 'the origin',
    post: ({ dropped, entries }) => post({ dropped, refusals: entries }),
    waitUntil,
    log,
  })

  return {
    record({ limits, method, route }: RejectedRequest): void {
      for (const { rule, subject } of limits)
        record(`${rule.limit} ${method} ${route} ${subject}`, {
          class: rule.limit,
          key: subject,
          method,
          route,
          count: 1,
          // An origin of an earlier version rejects the member.
          ...(rule.isReportOnly && { report_only: true }),
        })
    },
    ...rest,
  }
}

export type RateLimitReporter = ReturnType<typeof createRateLimitReporter>
