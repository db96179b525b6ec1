import { withTimeout } from '../../shared/lib/with-timeout.ts'
import type { Now } from '../ports.ts'

interface BreakerOptions {
  /** The most that a call may take. */
  timeoutMs: number
  /**
   * Succeeds only where the other side does all that calls need of it. A call may succeed by less
   * than that.
   */
  probe: () => Promise<unknown>
  now: Now
  /** Called once when calls begin to fail, and once when they succeed again. */
  onOpen: (error: unknown) => void
  onClose: () => void
}

/**
 * How long the other side is left alone after a failure, so that not every request pays for finding
 * out.
 */
const pauseMs = 1000

/**
 * Calls another service for as long as that is worth it. After a failure one call a pause is a
 * trial: it probes the service first, and only a successful probe closes the breaker. Neither a
 * call that began before the failure does, nor one that happens to need nothing of what fails.
 */
export function createBreaker({ timeoutMs, probe, now, onOpen, onClose }: BreakerOptions) {
  let failedAt: number | undefined
  let cause: unknown

  function markFailed(error: unknown): void {
    if (failedAt === undefined) onOpen(error)
    failedAt = now()
    cause = error
  }

  /** A trial that succeeds closes the breaker; a probe that began before the failure does not. */
  async function probeOnce(isTrial: boolean): Promise<void> {
    await withTimeout(timeoutMs, probe())
    if (!isTrial || failedAt === undefined) return
    failedAt = undefined
    cause = undefined
    onClose()
  }

  return {
    /** @returns undefined where the call failed, took too long or was not made */
    async ask<T extends object>(call: () => Promise<T>): Promise<T | undefined> {
      const isTrial = failedAt !== undefined
      if (failedAt !== undefined) {
        if (now() - failedAt < pauseMs) return undefined
        // Other calls wait for another pause: a runtime may drop this one before it has a response.
        failedAt = now()
      }
      try {
        if (isTrial) await probeOnce(isTrial)
        return await withTimeout(timeoutMs, call())
      } catch (error) {
        markFailed(error)
        return undefined
      }
    },

    /** Finds out now whether calls succeed. Never rejects. */
    async check(): Promise<void> {
      const isTrial = failedAt !== undefined
      if (isTrial) failedAt = now()
      try {
        await probeOnce(isTrial)
      } catch (error) {
        markFailed(error)
      }
    },

    isOpen: () => failedAt !== undefined,

    /** Why it is open. */
    cause: () => cause,
  }
}

export type Breaker = ReturnType<typeof createBreaker>
