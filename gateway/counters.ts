import type { Log } from '../shared/log.ts'
import { within } from '../shared/within.ts'
import type { Counter, Now, Take, Taken } from './ports.ts'

/** The most that counting may add to a request. */
const timeoutMs = 50

/** How long the shared counter is left alone after it failed, so that not every request pays for finding out. */
const pauseMs = 1000

interface FallbackOptions {
  /** The counter that all gateways share. */
  shared: Counter
  /** This gateway's own. */
  local: Counter
  /** Gateways that share the traffic: each allows its part of a quota while nobody can say what the others gave out. */
  replicas: number
  now: Now
  log: Log
}

/**
 * The shared counter with the local one behind it: Redis gone or slow never stops a request, and never lifts a limit either. After a failure one
 * call at a time finds out whether it is back.
 *
 * The race we accept: a window begun on one counter does not carry over to the other, so an outage allows each key up to one more quota.
 */
export function createFallbackCounter({ shared, local, replicas, now, log }: FallbackOptions) {
  let failedAt: number | undefined
  let probing = false

  function fail(error: unknown) {
    if (failedAt === undefined) log.warn({ err: error }, 'limits count locally')
    failedAt = now()
  }

  function succeed() {
    if (failedAt !== undefined) log.info({}, 'limits count in Redis again')
    failedAt = undefined
  }

  const isPaused = () => failedAt !== undefined && (probing || now() - failedAt < pauseMs)

  return {
    async take(takes: readonly Take[]): Promise<Taken[]> {
      if (isPaused()) return local.take(takes.map((take) => shareOf(take, replicas)))
      probing = failedAt !== undefined
      try {
        const taken = await within(
          timeoutMs,
          shared.take(takes.map((take) => (take.shared === false ? nothingOf(take) : take))),
        )
        succeed()
        return taken
      } catch (error) {
        fail(error)
        return local.take(takes.map((take) => shareOf(take, replicas)))
      } finally {
        probing = false
      }
    },

    /** Whether limits are counted here alone at this moment. */
    isLocal: () => failedAt !== undefined,
  } satisfies Counter & { isLocal: () => boolean }
}

/** A permit is given back to the counter that gave it or to none: the other would have one more to give than its limit. */
const nothingOf = (take: Take): Take => ({ ...take, permits: 0 })

/** Guessing at a password must not get cheaper by an outage: what is strict gets half of its part, and never less than one try. */
function shareOf(take: Take, replicas: number): Take {
  if (take.shared) return nothingOf(take)
  const parts = take.outage === 'strict' ? 2 * replicas : replicas
  return { ...take, quota: Math.max(1, Math.ceil(take.quota / parts)) }
}
