import type { ApiKeyReport } from '../../shared/contract.ts'
import { createBatchReporter } from '../../shared/lib/batch-reporter.ts'
import type { Log } from '../../shared/lib/log.ts'
import type { Now, WaitUntil } from '../ports.ts'
import type { ApiKey } from '../tokens/api-keys.ts'

interface KeyUseReporterOptions {
  /** Sends a batch to the origin; has its own timeout. */
  post: (batch: ApiKeyReport) => Promise<unknown>
  waitUntil?: WaitUntil | undefined
  now: Now
  log: Log
}

/** Shortest time between two reports of one key's use: owners see the last use to the minute. */
const reportMs = 60_000

/** Reports when API keys were used last, and from networks that they may not be used from. */
export function createKeyUseReporter({ post, waitUntil, now, log }: KeyUseReporterOptions) {
  const { record, ...rest } = createBatchReporter<ApiKeyReport['uses'][number]>({
    of: 'uses of API keys',
    to: 'the origin',
    post: ({ dropped, entries }) => post({ dropped, uses: entries }),
    waitUntil,
    log,
  })

  function report({ id }: ApiKey, outcome: 'used' | 'network_refused', at: number): void {
    record(`${id} ${outcome}`, { key_id: id, outcome, at: new Date(at).toISOString(), count: 1 })
  }

  return {
    recordUse(apiKey: ApiKey): void {
      const at = now()
      if (at - apiKey.reportedAt < reportMs) return
      apiKey.reportedAt = at
      report(apiKey, 'used', at)
    },

    recordNetworkRefusal: (apiKey: ApiKey): void => report(apiKey, 'network_refused', now()),

    ...rest,
  }
}

export type KeyUseReporter = ReturnType<typeof createKeyUseReporter>
