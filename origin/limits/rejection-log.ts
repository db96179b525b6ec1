import { createBatchReporter } from '../../shared/lib/batch-reporter.ts'
import type { Log } from '../../shared/lib/log.ts'
import type { Queryable } from '../db/types.ts'
import { insertRateLimitReport } from './rejection-queries.ts'

/** A request or mail that a limit of the origin refused. */
export interface LimitRejection {
  /** Name of the limit. */
  limit: string
  /** Its subject: an address, an account, a client. */
  key: string
  method: string
  /** The pattern of the route, or the kind of mail. */
  route: string
}

export type RecordRejection = (rejection: LimitRejection) => void

interface RejectionLogOptions {
  sql: Queryable
  log: Log
  /** Called for each, for metrics. */
  onRejected?: (limit: string) => void
}

/** The longest key that a row stores. */
const maxKeyLength = 200

/**
 * Records what the limits of the origin refused, beside what gateways report. Equal ones are one
 * row with a count, so that a caller far over its limit causes a row in ten seconds.
 */
export function createRejectionLog({ sql, log, onRejected = () => {} }: RejectionLogOptions) {
  const { record, flush, close } = createBatchReporter<LimitRow>({
    of: 'refusals',
    to: 'the database',
    post: ({ entries }) => insertRateLimitReport(sql, entries),
    log,
  })

  return {
    record({ limit, key, method, route }: LimitRejection): void {
      onRejected(limit)
      const row = { class: limit, key: key.slice(0, maxKeyLength), method, route, count: 1 }
      record(`${limit} ${method} ${route} ${key}`, row)
    },
    flush,
    close,
  }
}

type LimitRow = Parameters<typeof insertRateLimitReport>[1][number]

export type RejectionLog = ReturnType<typeof createRejectionLog>
