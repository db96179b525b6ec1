import type { Log } from '../../shared/lib/log.ts'
import { waitForWork } from '../../shared/lib/wait-for-work.ts'

interface RelayOptions {
  publish: (signal: AbortSignal) => Promise<void>
  /** Pause between two runs. */
  intervalMs?: number
  log: Log
}

/**
 * Well below the second within which gateways must know; one query of an index that is mostly
 * empty.
 */
const defaultIntervalMs = 200

/**
 * Publishes at each interval, one run at a time. Failure and recovery are logged once each.
 */
export function startRevocationRelay({ publish, intervalMs = defaultIntervalMs, log }: RelayOptions) {
  const stopping = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  let failing = false

  async function run() {
    try {
      await publish(stopping.signal)
      if (failing) log.info({}, 'revocations are published again')
      failing = false
    } catch (error) {
      if (!failing) log.warn({ err: error }, 'revocations are not published: gateways read the feed')
      failing = true
    }
    if (!stopping.signal.aborted) timer = setTimeout(start, intervalMs)
  }

  let running: Promise<void>
  function start() {
    running = run()
  }
  // The first run waits for the connections, so that it logs no failure at the start.
  timer = setTimeout(start, intervalMs)
  running = Promise.resolve()

  return {
    /** Resolves when the current run has ended, or after 2 s; no other starts. */
    async stop(): Promise<void> {
      stopping.abort()
      clearTimeout(timer)
      await waitForWork('revocation relay', running, log)
    },
  }
}
