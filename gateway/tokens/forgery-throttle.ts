import type { VerifySignature } from '../../shared/auth/jwk.ts'
import { Problem } from '../../shared/http/errors.ts'
import { chain } from '../../shared/lib/async.ts'
import { createBoundedMap } from '../../shared/lib/bounded-map.ts'
import type { EpochMs } from '../../shared/lib/time.ts'
import type { Now } from '../ports.ts'

/**
 * Forged signatures of one address per window before its uncached tokens are delayed.
 */
export const signatureFailuresAllowed = 20
const windowMs = 60_000

/** Addresses with failures; the map holds up to twice this (see bounded-map.ts). */
const maxAddresses = 10_000

/** Checks per second, for one such address and for all together: at 0.15 ms each, 6 % of a core. */
const checksPerSecond = { ofOne: 100, ofAll: 400 }

/** Longest wait of a token, which bounds the queue. */
const maxWaitMs = 1000

/** Starts at a steady rate: the time of the next one, in place of a queue. */
interface Schedule {
  nextAt: EpochMs
}

interface Failures extends Schedule {
  count: number
  endsAt: EpochMs
}

/**
 * Bounds the cost of forged signatures for this process, so it counts in its own memory: a check
 * takes a hundred times as long as a rejection. An address with too many is not rejected, since
 * others there have valid tokens; its uncached tokens are checked at a bounded rate.
 *
 * The race we accept: checks that began before the failures of one address were known run at once.
 */
export function createForgeryThrottle({ now }: { now: Now }) {
  const failuresOf = createBoundedMap<string, Failures>(maxAddresses)
  const all: Schedule = { nextAt: 0 }

  function failuresNow(addressKey: string): Failures | undefined {
    const failures = failuresOf.get(addressKey)
    return failures && failures.endsAt > now() ? failures : undefined
  }

  function throttle(addressKey: string): Promise<void> | undefined {
    const failures = failuresNow(addressKey)
    if (!failures || failures.count < signatureFailuresAllowed) return undefined
    const at = now()
    const startAt = Math.max(at, failures.nextAt, all.nextAt)
    if (startAt - at > maxWaitMs)
      throw new Problem('overloaded', { cause: 'signature checks of an address with forged ones' })
    failures.nextAt = Math.max(at, failures.nextAt) + 1000 / checksPerSecond.ofOne
    all.nextAt = Math.max(at, all.nextAt) + 1000 / checksPerSecond.ofAll
    return new Promise((resolve) => setTimeout(resolve, startAt - at))
  }

  function recordForgery(addressKey: string): void {
    const failures = failuresNow(addressKey)
    if (failures) failures.count++
    else failuresOf.set(addressKey, { count: 1, endsAt: now() + windowMs, nextAt: 0 })
  }

  return {
    /** Tracked addresses, ended windows included. */
    get size() {
      return failuresOf.size
    },

    /**
     * @param addressKey an address, or the /64 of an IPv6 address
     * @returns undefined where the check may run immediately
     * @throws Problem `overloaded` where the queue is full
     */
    throttle,

    recordForgery,

    /** A check that is delayed for addresses with forged signatures, and counts forged ones. */
    guard(verify: VerifySignature, addressKey: string): VerifySignature {
      return (signed, signature) =>
        chain(throttle(addressKey), () =>
          chain(verify(signed, signature), (isGenuine) => {
            if (!isGenuine) recordForgery(addressKey)
            return isGenuine
          }),
        )
    },
  }
}
