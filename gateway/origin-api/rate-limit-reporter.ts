import type { RateLimitReport } from '../../shared/contract.ts'
import type { Log } from '../../shared/lib/log.ts'
import type { WaitUntil } from '../ports.ts'
import type { Limit } from '../rate-limit/limiter.ts'
import { createBatchReporter } from './batch-reporter.ts'

interface RateLimitReporterOptions {
  /** Sends a batch to the origin; has its own timeout. */
  post: (batch: RateLimitReport) => Promise<unknown>
  waitUntil?: WaitUntil | undefined
  log: Log
}

/** A rejected request; `route` is the path of its policy row. */
interface RejectedRequest {
  limits: readonly Limit[]
  method: string
  route: string
}

/** Reports rate-limited requests, counted by limit, caller, method and route. */
export function createRateLimitReporter({ post, waitUntil, log }: RateLimitReporterOptions) {
  const { record, ...rest } = createBatchReporter<RateLimitReport['refusals'][number]>({
    of: 'refusals',
    post: ({ dropped, entries }) => post({ dropped, refusals: entries }),
    waitUntil,
    log,
  })

  return {
    record({ limits, method, route }: RejectedRequest): void {
      for (const { name, subject } of limits)
        record(`${name} ${method} ${route} ${subject}`, {
          class: name,
          key: subject,
          method,
          route,
          count: 1,
        })
    },
    ...rest,
  }
}

export type RateLimitReporter = ReturnType<typeof createRateLimitReporter>
