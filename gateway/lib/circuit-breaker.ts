import type { EpochMs } from '../../shared/lib/time.ts'
import { withTimeout } from '../../shared/lib/with-timeout.ts'
import type { Now } from '../ports.ts'

interface BreakerOptions {
  /** Timeout of a call. */
  timeoutMs: number
  /**
   * Succeeds only if the other side can do everything that calls need. A single call may succeed
   * with less.
   */
  probe: () => Promise<unknown>
  now: Now
  /** Called once when calls begin to fail, and once when they succeed again. */
  onOpen: (error: unknown) => void
  onClose: () => void
}

/**
 * Pause after a failure, so that not every request waits for the next one.
 */
const pauseMs = 1000

/**
 * Circuit breaker for another service. After a failure, one call per pause is a trial: it probes
 * the service first, and only a successful probe closes the breaker. A call that began before the
 * failure does not close it, nor one that does not need the failing part.
 */
export function createBreaker({ timeoutMs, probe, now, onOpen, onClose }: BreakerOptions) {
  let failedAt: EpochMs | undefined
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
    /** @returns undefined if the call failed, timed out or was skipped */
    async call<T extends object>(call: () => Promise<T>): Promise<T | undefined> {
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

    /** Probes the service now. Never rejects. */
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

    /** The error that opened it. */
    cause: () => cause,
  }
}

export type Breaker = ReturnType<typeof createBreaker>
