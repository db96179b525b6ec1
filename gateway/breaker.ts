import { within } from '../shared/within.ts'
import type { Now } from './ports.ts'

interface BreakerOptions {
  /** The most that asking may take. */
  timeoutMs: number
  now: Now
  /** Told once when asking fails, and once when it is well again. */
  onOpen: (error: unknown) => void
  onClose: () => void
}

/** How long somebody who failed is left alone, so that not every request pays for finding out. */
const pauseMs = 1000

/** Asks somebody who may be gone or slow, for as long as that is worth it. After a failure one call at a time finds out whether it is. */
export function createBreaker({ timeoutMs, now, onOpen, onClose }: BreakerOptions) {
  let failedAt: number | undefined

  return {
    /** @returns undefined where there was no answer in time, or nobody was asked */
    async ask<T extends object>(question: () => Promise<T>): Promise<T | undefined> {
      if (failedAt !== undefined) {
        if (now() - failedAt < pauseMs) return undefined
        // The others wait for as long again: a runtime may drop the call that finds out before it has.
        failedAt = now()
      }
      try {
        const answer = await within(timeoutMs, question())
        if (failedAt !== undefined) onClose()
        failedAt = undefined
        return answer
      } catch (error) {
        if (failedAt === undefined) onOpen(error)
        failedAt = now()
        return undefined
      }
    },

    isOpen: () => failedAt !== undefined,
  }
}
