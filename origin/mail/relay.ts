import type { Log } from '../../shared/lib/log.ts'
import { waitForWork } from '../../shared/lib/wait-for-work.ts'
import { withTimeout } from '../../shared/lib/with-timeout.ts'

interface RelayOptions {
  deliver: (signal: AbortSignal) => Promise<void>
  /** Pause between two deliveries without a nudge. */
  intervalMs?: number
  /** The signal of a delivery aborts then; a mail in progress may still be delivered. */
  roundMs?: number
  /** A delivery that has not ended by then is left behind, and the next one begins. */
  abandonMs?: number
  log: Log
}

export type Relay = ReturnType<typeof startRelay>

/** Below the first wait of a failed mail; one indexed query of a table that is mostly empty. */
const defaultIntervalMs = 3000

/** A mail and the statements around it have deadlines of their own, which sum up to 100 s. */
const defaultRoundMs = 60_000
const defaultAbandonMs = defaultRoundMs + 120_000

/**
 * Delivers at each interval, one delivery at a time. The first starts at once: a restart may have
 * left mail. A delivery that hangs is left behind, which is as safe as a second origin: each mail
 * is claimed.
 */
export function startRelay(options: RelayOptions) {
  const { deliver, log } = options
  const { intervalMs = defaultIntervalMs, roundMs = defaultRoundMs, abandonMs = defaultAbandonMs } = options
  const stopping = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  let running: Promise<void> | undefined
  /** Nudged during a delivery, which may have missed the mail. */
  let nudged = false

  async function run() {
    do {
      nudged = false
      try {
        const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(roundMs)])
        await withTimeout(abandonMs, deliver(signal))
      } catch (error) {
        log.error({ err: error }, 'mail relay failed')
      }
    } while (nudged && !stopping.signal.aborted)
    running = undefined
    if (!stopping.signal.aborted) timer = setTimeout(wake, intervalMs)
  }

  /** Starts a delivery; call it after a commit that enqueued mail. */
  function wake() {
    if (stopping.signal.aborted) return
    if (running !== undefined) nudged = true
    else {
      clearTimeout(timer)
      running = run()
    }
  }

  wake()
  return {
    wake,
    /** Resolves when the current delivery has ended, or after 2 s; no other starts. */
    async stop(): Promise<void> {
      stopping.abort()
      clearTimeout(timer)
      await waitForWork('mail relay', running, log)
    },
  }
}
