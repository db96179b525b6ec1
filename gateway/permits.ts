import type { Eventually } from '../shared/async.ts'
import { createBoundedMap } from '../shared/bounded-map.ts'
import type { Counter, NextTurn, Now, Take, Taken } from './ports.ts'

interface PermitsOptions {
  counter: Counter
  now: Now
  nextTurn: NextTurn
  /** The most permits that a key may have in hand here beyond those asked for; 0 counts each request where all are counted. */
  largestLease: number
  /** Gateways that share the traffic. */
  replicas: number
}

/** One request's permit, or that there was none. */
export type Permit = Pick<Taken, 'used' | 'quota' | 'resetMs' | 'shared'> & {
  granted: boolean
  /** Whether it was in hand. */
  leased: boolean
}

/** What one request wants: one permit. */
export type Wanted = Omit<Take, 'permits'>

interface Waiting {
  resolve: (permit: Permit) => void
  reject: (error: unknown) => void
}

/** Those who want the same at the same time. */
interface Queue {
  wanted: Wanted
  waiting: Waiting[]
}

/** Permits in hand, taken in advance. */
interface Lease {
  permits: number
  /** Permits to take with the next call, beyond those asked for. */
  size: number
  quota: number
  used: number
  /** Milliseconds since 1970. */
  resetAt: number
}

/** Leases held per generation, two of which are. */
const leasesHeld = 50_000

/** Keys a call: what comes after goes with the next. */
const largestCall = 500

/**
 * Gives each request its permit. All that is wanted in one turn of the event loop travels in one call of the counter, and what is wanted of one
 * key as one number.
 *
 * A lease takes some permits in advance, so that the next requests of a busy key ask nobody. It doubles with each call of a window and shrinks
 * with what is left of the quota. Permits in hand are used up at the counter, so no quota is ever exceeded; a key may be refused early, by at most
 * `largestLease` for each other gateway that has some in hand.
 */
export function createPermits({ counter, now, nextTurn, largestLease, replicas }: PermitsOptions) {
  const leases = createBoundedMap<string, Lease>(leasesHeld)
  let queues = new Map<string, Queue>()
  let givenBack: Take[] = []

  const idOf = ({ key, windowSeconds }: Wanted) => `${windowSeconds}:${key}`

  /** The lease of this window and this plan. */
  function leaseOf(id: string, { quota }: Wanted): Lease | undefined {
    const lease = leases.get(id)
    return lease && lease.quota === quota && lease.resetAt > now() ? lease : undefined
  }

  function useLease(lease: Lease): Permit {
    lease.permits--
    const { quota, used, permits, resetAt } = lease
    const resetMs = resetAt - now()
    return { granted: true, quota, used: used - permits, resetMs, shared: true, leased: true }
  }

  function schedule(): void {
    const size = queues.size + givenBack.length
    if (size === 1) nextTurn(call)
    else if (size === largestCall) call()
  }

  function call(): void {
    const asked = [...queues]
    const takes = givenBack
    queues = new Map()
    givenBack = []
    for (const [id, { wanted, waiting }] of asked)
      takes.push({ ...wanted, permits: waiting.length + (leaseOf(id, wanted)?.size ?? 0) })
    if (takes.length === 0) return
    const first = takes.length - asked.length
    counter.take(takes).then(
      (answers) => {
        for (const [index, [id, queue]] of asked.entries()) give(id, queue, answers[first + index] as Taken)
      },
      (error) => {
        for (const [, { waiting }] of asked) for (const { reject } of waiting) reject(error)
      },
    )
  }

  /** Gives those who wait what came, in their order; what is over stays in hand. */
  function give(
    id: string,
    { wanted, waiting }: Queue,
    { granted, used, quota, resetMs, shared }: Taken,
  ): void {
    const rest = { quota, resetMs, shared, leased: false }
    const lease = shared && mayLease(wanted) ? renewLease(id, wanted, { used, resetMs }) : undefined
    for (const [index, { resolve }] of waiting.entries()) {
      if (index < granted) resolve({ ...rest, granted: true, used: used - granted + index + 1 })
      else if (lease && lease.permits > 0) resolve(useLease(lease))
      else resolve({ ...rest, granted: false, used })
    }
    if (lease) lease.permits += Math.max(0, granted - waiting.length)
  }

  const mayLease = ({ outage }: Wanted) => largestLease > 0 && outage === 'share'

  function renewLease(id: string, wanted: Wanted, { used, resetMs }: Pick<Taken, 'used' | 'resetMs'>): Lease {
    const { quota } = wanted
    const known = leaseOf(id, wanted)
    const fairShare = Math.floor((quota - used) / (2 * replicas))
    const size = known ? Math.min(largestLease, Math.max(0, fairShare), Math.max(1, known.size * 2)) : 0
    const lease = { permits: known?.permits ?? 0, size, quota, used, resetAt: now() + resetMs }
    leases.set(id, lease)
    return lease
  }

  return {
    take(wanted: Wanted): Eventually<Permit> {
      const id = idOf(wanted)
      const lease = mayLease(wanted) ? leaseOf(id, wanted) : undefined
      if (lease && lease.permits > 0) return useLease(lease)
      return new Promise((resolve, reject) => {
        const queue = queues.get(id)
        if (queue) queue.waiting.push({ resolve, reject })
        else {
          queues.set(id, { wanted, waiting: [{ resolve, reject }] })
          schedule()
        }
      })
    },

    /** Gives a permit back. Nobody waits for that, and one that is lost with its store lapses with its window. */
    giveBack(wanted: Wanted): void {
      givenBack.push({ ...wanted, permits: -1 })
      schedule()
    },
  }
}

export type Permits = ReturnType<typeof createPermits>
