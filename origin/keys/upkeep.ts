import type { Log } from '../../shared/lib/log.ts'
import { waitForWork } from '../../shared/lib/wait-for-work.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { KeyRing } from './key-ring.ts'
import { keyUpkeepSeconds } from './rules.ts'
import type { KeyService } from './service.ts'

interface KeyUpkeepOptions {
  takeStep: KeyService['takeStep']
  ring: Pick<KeyRing, 'refresh'>
  /**
   * Pause between two runs; `ringLagSeconds` depends on the default.
   */
  intervalMs?: number
  log: Log
}

/**
 * Takes the due steps of a rotation and refreshes the ring, at each interval in every replica. The
 * first run comes after one interval, as the new ring is fresh.
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

  /** The ring is refreshed even where a step failed, as other replicas take steps too. */
  async function run() {
    await takeSteps().catch((error) => log.error({ err: error }, 'signing key step failed'))
    if (!stopping) await ring.refresh().catch((error) => log.error({ err: error }, 'signing keys not read'))
    if (!stopping) timer = setTimeout(start, intervalMs)
  }

  function start() {
    running = run()
  }

  return {
    /** Resolves when the current run has ended, or after 2 s; no other starts. */
    async stop(): Promise<void> {
      stopping = true
      clearTimeout(timer)
      await waitForWork('key upkeep', running, log)
    },
  }
}
