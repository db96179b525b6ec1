import type { Log } from '../../shared/lib/log.ts'

interface RelayOptions {
  publish: (signal: AbortSignal) => Promise<void>
  /** Between the end of one look and the start of the next. */
  intervalMs?: number
  log: Log
}

/**
 * Well below the second within which gateways have to know; one look at an index that is empty as a
 * rule.
 */
const defaultIntervalMs = 200

/**
 * Publishes again and again, never two at a time. Says when it cannot, and when it can again, once
 * each.
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
  // Connections are being made: the first look waits, so that it does not complain about that.
  timer = setTimeout(start, intervalMs)
  running = Promise.resolve()

  return {
    /** Resolves when the work under way is done; nothing is published afterwards. */
    async stop(): Promise<void> {
      stopping.abort()
      clearTimeout(timer)
      await running
    },
  }
}
