import type { ChainableCommander } from 'ioredis'
import { withTimeout } from '../../shared/lib/with-timeout.ts'

/** @throws Error the first rejection, also of a transaction that a rejection discarded */
export async function execute(commands: ChainableCommander, timeoutMs: number): Promise<void> {
  const results = await withTimeout(timeoutMs, commands.exec()).catch((error: AbortedTransaction) => {
    throw error.previousErrors?.[0] ?? error
  })
  for (const [error] of results ?? []) if (error) throw error
}

/** The error EXECABORT, whose cause is in `previousErrors`. */
interface AbortedTransaction extends Error {
  previousErrors?: Error[]
}
