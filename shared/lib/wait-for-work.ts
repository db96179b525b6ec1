import type { Log } from './log.ts'
import { withTimeout } from './with-timeout.ts'

/** How long a relay or a job that stops waits for its current round. */
const stopMs = 2000

/**
 * Resolves when the current round of a relay or a job has ended, or after 2 s: a service that stops
 * closes its connections next, which ends what is left of the round.
 */
export async function waitForWork(name: string, work: Promise<unknown> | undefined, log: Log): Promise<void> {
  await withTimeout(stopMs, Promise.resolve(work)).catch((error) => {
    log.warn({ err: error, work: name }, 'stopped before its work had ended')
  })
}
