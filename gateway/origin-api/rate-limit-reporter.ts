import type { RefusalsBody } from '../../shared/contract.ts'
import type { Log } from '../../shared/lib/log.ts'
import type { Outlive } from '../ports.ts'
import type { Limit } from '../rate-limit/limiter.ts'
import { createBatchLog } from './batch-reporter.ts'

interface RefusalLogOptions {
  /** Tells the origin. Gives up by itself. */
  post: (batch: RefusalsBody) => Promise<unknown>
  outlive?: Outlive | undefined
  log: Log
}

/** What was refused; `route` is the path of its row. */
interface RefusedRequest {
  limits: readonly Limit[]
  method: string
  route: string
}

/** Gathers the requests that a limit refused: counted by limit, caller, method and route. */
export function createRefusalLog({ post, outlive, log }: RefusalLogOptions) {
  const { note, ...rest } = createBatchLog<RefusalsBody['refusals'][number]>({
    of: 'refusals',
    post: ({ dropped, entries }) => post({ dropped, refusals: entries }),
    outlive,
    log,
  })

  return {
    note({ limits, method, route }: RefusedRequest): void {
      for (const { name, caller } of limits)
        note(`${name} ${method} ${route} ${caller}`, { class: name, key: caller, method, route, count: 1 })
    },
    ...rest,
  }
}

export type RefusalLog = ReturnType<typeof createRefusalLog>
