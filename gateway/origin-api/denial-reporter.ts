import type { DenialsBody } from '../../shared/contract.ts'
import type { Log } from '../../shared/lib/log.ts'
import type { Denied } from '../policy/authorization.ts'
import type { Outlive } from '../ports.ts'
import { createBatchLog } from './batch-reporter.ts'

interface DenialLogOptions {
  /** Tells the origin. Gives up by itself. */
  post: (batch: DenialsBody) => Promise<unknown>
  outlive?: Outlive | undefined
  log: Log
}

/**
 * Gathers who asked for what their role may not do, for the audit log: counted by session, reason,
 * method and route.
 */
export function createDenialLog({ post, outlive, log }: DenialLogOptions) {
  const { note, ...rest } = createBatchLog<DenialsBody['denials'][number]>({
    of: 'denials',
    post: ({ dropped, entries }) => post({ dropped, denials: entries }),
    outlive,
    log,
  })

  return {
    note({ identity: { sub, sid }, code, method, path }: Denied): void {
      const denial = { user_id: sub, session_id: sid, code, method, route: path, count: 1 }
      note(`${sid} ${code} ${method} ${path}`, denial)
    },
    ...rest,
  }
}
