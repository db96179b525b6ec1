import type { Log } from '../../shared/lib/log.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { KeyRing } from './key-ring.ts'
import { keyUpkeepSeconds } from './rules.ts'
import type { KeyService } from './service.ts'

interface KeyUpkeepOptions {
  takeStep: KeyService['takeStep']
  ring: Pick<KeyRing, 'refresh'>
  /**
   * Between the end of one look and the start of the next; `ringLagSeconds` builds on its default.
   */
  intervalMs?: number
  log: Log
}

/**
 * Makes the steps of a rotation that are due and keeps the ring as new as the database, again and
 * again, the first time after one interval: the ring was read when it was made. Runs in every
 * replica.
 */
export function startKeyUpkeep(options: KeyUpkeepOptions) {
  const { takeStep, ring, intervalMs = keyUpkeepSeconds * 1000, log } = options
  const by = (): RequestContext => ({ ip: null, userAgent: 'key upkeep', requestId: crypto.randomUUID() })
  let stopping = false
  let running: Promise<void> | undefined
  let timer = setTimeout(start, intervalMs)

  async function takeSteps() {
    while (!stopping) {
      const events = await takeStep(by())
      if (events.length === 0) return
      for (const { action, kid } of events) log.info({ action, kid }, 'signing key step')
    }
  }

  /** The ring is read whatever became of the steps, as other replicas make steps too. */
  async function run() {
    await takeSteps().catch((error) => log.error({ err: error }, 'signing key step failed'))
    if (!stopping) await ring.refresh().catch((error) => log.error({ err: error }, 'signing keys not read'))
    if (!stopping) timer = setTimeout(start, intervalMs)
  }

  function start() {
    running = run()
  }

  return {
    /** Resolves when the look under way is done; none follows. */
    async stop(): Promise<void> {
      stopping = true
      clearTimeout(timer)
      await running
    },
  }
}
