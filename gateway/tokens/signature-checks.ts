import { Problem } from '../../shared/http/errors.ts'
import { createBoundedMap } from '../../shared/lib/bounded-map.ts'
import type { Now } from '../ports.ts'

/**
 * Forged signatures of one address in one window, beyond which its unseen tokens wait for their
 * turn.
 */
export const signatureFailuresAllowed = 20
const windowMs = 60_000

/** Addresses with failures remembered per generation, two of which are held. */
const addressesHeld = 10_000

/** Checks a second of one such address, and of all of them: at 0.15 ms a check, 6 % of a core. */
const checksPerSecond = { ofOne: 100, ofAll: 400 }

/** The longest that a token waits for its turn; the queue holds no more than that at its pace. */
const longestWaitMs = 1000

/** Places in time, one after the other at a steady pace. Holds a number in place of a queue. */
interface Pace {
  /** Milliseconds since 1970. */
  nextAt: number
}

interface Failures extends Pace {
  count: number
  /** Milliseconds since 1970. */
  endsAt: number
}

/**
 * Bounds the cost of forged signatures for this process, so it counts in its own memory: a check
 * takes a hundred times as long as a rejection. An address with too many is not refused, since
 * others there have genuine tokens; its unseen tokens are checked at a bounded pace.
 *
 * The race we accept: checks that began before the failures of one address were known run at once.
 */
export function createSignatureChecks({ now }: { now: Now }) {
  const failuresOf = createBoundedMap<string, Failures>(addressesHeld)
  const all: Pace = { nextAt: 0 }

  function failuresNow(caller: string): Failures | undefined {
    const failures = failuresOf.get(caller)
    return failures && failures.endsAt > now() ? failures : undefined
  }

  return {
    /** Addresses remembered, those whose window has ended among them. */
    get size() {
      return failuresOf.size
    },

    /**
     * @param caller an address, or the /64 of one
     * @returns undefined where the check may run at once
     * @throws Problem `overloaded` where the queue is full
     */
    waitForTurn(caller: string): Promise<void> | undefined {
      const failures = failuresNow(caller)
      if (!failures || failures.count < signatureFailuresAllowed) return undefined
      const at = now()
      const turnAt = Math.max(at, failures.nextAt, all.nextAt)
      if (turnAt - at > longestWaitMs)
        throw new Problem('overloaded', { cause: 'signature checks of an address with forged ones' })
      failures.nextAt = Math.max(at, failures.nextAt) + 1000 / checksPerSecond.ofOne
      all.nextAt = Math.max(at, all.nextAt) + 1000 / checksPerSecond.ofAll
      return new Promise((resolve) => setTimeout(resolve, turnAt - at))
    },

    failed(caller: string): void {
      const failures = failuresNow(caller)
      if (failures) failures.count++
      else failuresOf.set(caller, { count: 1, endsAt: now() + windowMs, nextAt: 0 })
    },
  }
}
