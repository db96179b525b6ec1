import type { Log } from '../shared/log.ts'
import type { Count, Counter, Now } from './ports.ts'

interface FallbackOptions {
  /** The counter that all gateways share. */
  shared: Counter
  /** This gateway's own. */
  local: Counter
  now: Now
  log: Log
  /** The most that counting may add to a request. */
  timeoutMs?: number
  /** How long the shared counter is left alone after it failed, so that not every request pays for finding out. */
  pauseMs?: number
}

/**
 * The shared counter with the local one behind it: Redis gone or slow never stops a request, and never lifts a limit either.
 *
 * The race we accept: a window begun on one counter does not carry over to the other, so an outage allows each key up to one more quota.
 */
export function createFallbackCounter({
  shared,
  local,
  now,
  log,
  timeoutMs = 50,
  pauseMs = 1000,
}: FallbackOptions) {
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

  return { add, isShared: () => pausedUntil === 0 }
}

async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    return await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
  }
}
