import type { Log } from '../shared/log.ts'
import { within } from '../shared/within.ts'
import type { Count, Counter, Now } from './ports.ts'

/** The most that counting may add to a request. */
const timeoutMs = 50

/** How long the shared counter is left alone after it failed, so that not every request pays for finding out. */
const pauseMs = 1000

interface FallbackOptions {
  /** The counter that all gateways share. */
  shared: Counter
  /** This gateway's own. */
  local: Counter
  now: Now
  log: Log
}

/**
 * The shared counter with the local one behind it: Redis gone or slow never stops a request, and never lifts a limit either.
 *
 * The race we accept: a window begun on one counter does not carry over to the other, so an outage allows each key up to one more quota.
 */
export function createFallbackCounter({ shared, local, now, log }: FallbackOptions): Counter {
  let pausedUntil = 0

  function pause(error: unknown) {
    if (pausedUntil === 0) log.warn({ err: error }, 'limits count locally')
    pausedUntil = now() + pauseMs
  }

  function resume() {
    if (pausedUntil !== 0) log.info({}, 'limits count in Redis again')
    pausedUntil = 0
  }

  async function add(key: string, windowSeconds: number): Promise<Count> {
    if (pausedUntil > now()) return local.add(key, windowSeconds)
    try {
      const count = await within(timeoutMs, shared.add(key, windowSeconds))
      resume()
      return count
    } catch (error) {
      pause(error)
      return local.add(key, windowSeconds)
    }
  }

  return { add }
}
