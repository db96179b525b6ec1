import { within } from '../../shared/lib/with-timeout.ts'
import type { Now } from '../ports.ts'

interface BreakerOptions {
  /** The most that a call may take. */
  timeoutMs: number
  /** Succeeds only where the other side does all that calls need of it. A call may succeed by less than that. */
  probe: () => Promise<unknown>
  now: Now
  /** Called once when calls begin to fail, and once when they succeed again. */
  onOpen: (error: unknown) => void
  onClose: () => void
}

/** How long the other side is left alone after a failure, so that not every request pays for finding out. */
const pauseMs = 1000

/**
 * Calls another service for as long as that is worth it. After a failure one call a pause is a trial: it probes the
 * service first, and only a successful probe closes the breaker. Neither a call that began before the failure does,
 * nor one that happens to need nothing of what fails.
 */
export function createBreaker({ timeoutMs, probe, now, onOpen, onClose }: BreakerOptions) {
  let failedAt: number | undefined
  let cause: unknown

  async function tryAgain(): Promise<void> {
    await within(timeoutMs, probe())
    if (failedAt !== undefined) onClose()
    failedAt = undefined
    cause = undefined
  }

  /** @param isDue whether to call although a failure is more recent than a pause */
  async function ask<T extends object>(question: () => Promise<T>, isDue = false): Promise<T | undefined> {
    const isTrial = failedAt !== undefined
    if (failedAt !== undefined) {
      if (!isDue && now() - failedAt < pauseMs) return undefined
      // The others wait for as long again: a runtime may drop the call that finds out before it has.
      failedAt = now()
    }
    try {
      if (isTrial) await tryAgain()
      return await within(timeoutMs, question())
    } catch (error) {
      if (failedAt === undefined) onOpen(error)
      failedAt = now()
      cause = error
      return undefined
    }
  }

  return {
    /** @returns undefined where the call failed, took too long or was not made */
    ask: <T extends object>(question: () => Promise<T>) => ask(question),

    /** Finds out now whether calls succeed. Never rejects. */
    async check(): Promise<void> {
      await ask(async () => ({ answer: await probe() }), true)
    },

    isOpen: () => failedAt !== undefined,

    /** Why it is open. */
    cause: () => cause,
  }
}
