import type { Log } from '../../shared/lib/log.ts'

interface RelayOptions {
  deliver: (signal: AbortSignal) => Promise<void>
  /** Between the end of one delivery and the start of the next, where nobody nudges. */
  intervalMs?: number
  log: Log
}

export type Relay = ReturnType<typeof startRelay>

/** Below the first wait of a failed mail; one indexed look at a table that is empty as a rule. */
const defaultIntervalMs = 3000

/**
 * Delivers again and again, never two at a time, the first time at once: a restart may have left
 * mail.
 */
export function startRelay({ deliver, intervalMs = defaultIntervalMs, log }: RelayOptions) {
  const stopping = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  let running: Promise<void> | undefined
  /** Nudged while running: what was committed then may have missed the last look. */
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

  /** Call it after a commit that enqueued mail; it returns at once. */
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
    /** Resolves when the delivery under way is done; nothing is delivered afterwards. */
    async stop(): Promise<void> {
      stopping.abort()
      clearTimeout(timer)
      await running
    },
  }
}
