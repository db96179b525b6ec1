import type { DenialReport } from '../../shared/contract.ts'
import { createBatchReporter } from '../../shared/lib/batch-reporter.ts'
import type { Log } from '../../shared/lib/log.ts'
import type { Denied } from '../policy/authorization.ts'
import type { WaitUntil } from '../ports.ts'

interface DenialReporterOptions {
  /** Sends a batch to the origin; has its own timeout. */
  post: (batch: DenialReport) => Promise<unknown>
  waitUntil?: WaitUntil | undefined
  log: Log
}

/**
 * Reports denied requests for the audit log, counted by session, reason, method and route.
 */
export function createDenialReporter({ post, waitUntil, log }: DenialReporterOptions) {
  const { record, ...rest } = createBatchReporter<DenialReport['denials'][number]>({
    of: 'denials',
    to: 'the origin',
    post: ({ dropped, entries }) => post({ dropped, denials: entries }),
    waitUntil,
    log,
  })

  return {
    record({ identity: { sub, sid }, code, method, path }: Denied): void {
      const denial = { user_id: sub, session_id: sid, code, method, route: path, count: 1 }
      record(`${sid} ${code} ${method} ${path}`, denial)
    },
    ...rest,
  }
}
