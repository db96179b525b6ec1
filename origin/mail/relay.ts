import type { Log } from '../../shared/lib/log.ts'

interface RelayOptions {
  deliver: (signal: AbortSignal) => Promise<void>
  /** Pause between two deliveries without a nudge. */
  intervalMs?: number
  log: Log
}

export type Relay = ReturnType<typeof startRelay>

/** Below the first wait of a failed mail; one indexed query of a table that is mostly empty. */
const defaultIntervalMs = 3000

/**
 * Delivers at each interval, one delivery at a time. The first starts at once: a restart may have
 * left mail.
 */
export function startRelay({ deliver, intervalMs = defaultIntervalMs, log }: RelayOptions) {
  const stopping = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  let running: Promise<void> | undefined
  /** Nudged during a delivery, which may have missed the mail. */
  let nudged = false

  async function run() {
    do {
      nudged = false
      try {
        await deliver(stopping.signal)
      } catch (error) {
        log.error({ err: error }, 'mail relay failed')
      }
    } while (nudged && !stopping.signal.aborted)
    running = undefined
    if (!stopping.signal.aborted) timer = setTimeout(nudge, intervalMs)
  }

  /** Starts a delivery; call it after a commit that enqueued mail. */
  function nudge() {
    if (stopping.signal.aborted) return
    if (running !== undefined) nudged = true
    else {
      clearTimeout(timer)
      running = run()
    }
  }

  nudge()
  return {
    nudge,
    /** Resolves when the current delivery has ended; no other starts. */
    async stop(): Promise<void> {
      stopping.abort()
      clearTimeout(timer)
      await running
    },
  }
}
