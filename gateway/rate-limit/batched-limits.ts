import type { Identity } from '../../shared/auth/claims.ts'
import type { Awaitable } from '../../shared/lib/async.ts'
import { createBoundedMap } from '../../shared/lib/bounded-map.ts'
import { hash32 } from '../../shared/lib/hash32.ts'
import type { Counter, NextTurn, Now, Take, Taken } from '../ports.ts'

interface PermitsOptions {
  counter: Counter
  now: Now
  nextTurn: NextTurn
  /**
   * The most permits that a key may have in hand here beyond those asked for; 0 counts each request
   * where all are counted.
   */
  largestLease: number
  /** Gateways that share the traffic. */
  replicas: number
}

/** One request's permit, or that there was none. */
export type Permit = Pick<Taken, 'used' | 'quota' | 'shared'> & {
  granted: boolean
  /** Milliseconds since 1970: no later than the window's end. */
  resetAt: number
  /** Whether it was in hand. */
  leased: boolean
}

/** What one request wants: one permit. The name and the caller make its key. */
export interface Wanted extends Omit<Take, 'key' | 'permits' | 'shared'> {
  name: string
  /** A user's id, an address, or the /64 of one. */
  caller: string
}

/** Where requests have their permits from. */
export interface Permits {
  /**
   * All that one request wants.
   *
   * @param bearer whose request it is; for permits that hold tokens against what was revoked, and
   *   then throw Problem
   */
  takeAll(wanted: readonly Wanted[], bearer: Identity | undefined): Awaitable<readonly Permit[]>
  /**
   * Gives a permit back to the window that it is of. Nobody waits for that; one that is lost with
   * its store, or would come about when the window ends, lapses with it.
   */
  giveBack(wanted: Wanted, permit: Permit): void
}

/** A request that waits for some of its permits. */
interface Waiting {
  /** By the place of what it wants. */
  permits: Permit[]
  missing: number
  resolve: (permits: Permit[]) => void
  reject: (error: unknown) => void
}

/** Of one permit in what a request waits for. */
interface Place {
  of: Waiting
  index: number
}

/** Those who want the same at the same time. */
interface Queue {
  wanted: Wanted
  places: Place[]
  /** The lease that some are taken for beyond those, on their way. */
  leasing?: Lease | undefined
}

/** Permits in hand, taken in advance. */
interface Lease {
  permits: number
  /** Permits to take with the next call, beyond those asked for. */
  size: number
  /**
   * Whether a call that takes some is on its way: one at a time, so that a slow counter does not
   * fill the hand.
   */
  isAsked: boolean
  used: number
  /** Milliseconds since 1970. */
  resetAt: number
}

/** Leases held per generation, two of which are. */
const leasesHeld = 50_000

/** What a permit may need on its way back: more than a counter is waited for. */
export const giveBackMs = 100

export const keyOf = ({ name, caller }: Wanted): string => `${name}:${caller}`

export const takeOf = (wanted: Wanted, permits: number, shared?: boolean): Take => ({
  key: keyOf(wanted),
  quota: wanted.quota,
  windowSeconds: wanted.windowSeconds,
  outage: wanted.outage,
  permits,
  ...(shared !== undefined && { shared }),
})

const isSame = (one: Wanted, other: Wanted) =>
  one.caller === other.caller &&
  one.name === other.name &&
  one.quota === other.quota &&
  one.windowSeconds === other.windowSeconds

/** Keys a call: what comes after goes with the next. */
const largestCall = 500

/**
 * Gives each request its permit. All that is wanted in one turn of the event loop travels in one
 * call of the counter, and what is wanted of one key as one number.
 *
 * A lease takes some permits in advance, so that the next requests of a busy key ask nobody. It
 * doubles with each call of a window and shrinks with what is left of the quota. Permits in hand
 * are used up at the counter, so no quota is ever exceeded; a key may be refused early, by at most
 * `largestLease` for each other gateway that has some in hand.
 */
export function createPermits(options: PermitsOptions): Permits {
  const { counter, now, nextTurn, largestLease, replicas } = options
  const leases = createBoundedMap<string, Lease>(leasesHeld)
  /** By the mark of their caller, or the next number that was free. */
  let queues = new Map<number, Queue>()
  let givenBack: Take[] = []

  /** With the quota: who has changed plans in this moment is held against the new one. */
  const leaseId = (wanted: Wanted) => `${wanted.windowSeconds}:${wanted.quota}:${keyOf(wanted)}`

  const mayLease = ({ outage }: Wanted) => largestLease > 0 && outage === 'share'

  function leaseOf(wanted: Wanted): Lease | undefined {
    const lease = mayLease(wanted) ? leases.get(leaseId(wanted)) : undefined
    return lease && lease.resetAt > now() ? lease : undefined
  }

  function useLease(lease: Lease, { quota }: Wanted): Permit {
    lease.permits--
    const { used, permits, resetAt } = lease
    return { granted: true, quota, used: used - permits, resetAt, shared: true, leased: true }
  }

  function schedule(): void {
    const size = queues.size + givenBack.length
    if (size === 1) nextTurn(call)
    else if (size === largestCall) call()
  }

  function call(): void {
    const asked = [...queues.values()]
    const takes = givenBack
    queues = new Map()
    givenBack = []
    for (const queue of asked) takes.push(takeOf(queue.wanted, queue.places.length + permitsToLease(queue)))
    if (takes.length === 0) return
    const first = takes.length - asked.length
    // A window ends at the counter, which was asked later than this: no permit is used beyond its
    // window.
    const askedAt = now()
    counter.take(takes).then(
      (answers) => {
        for (const [index, queue] of asked.entries()) give(queue, answers[first + index] as Taken, askedAt)
      },
      (error) => {
        for (const queue of asked) fail(queue, error)
      },
    )
  }

  /** How many to take in advance: no more than the hand has room for. */
  function permitsToLease(queue: Queue): number {
    const lease = leaseOf(queue.wanted)
    if (!lease || lease.isAsked) return 0
    const permits = Math.min(lease.size, largestLease - lease.permits)
    if (permits <= 0) return 0
    lease.isAsked = true
    queue.leasing = lease
    return permits
  }

  function fail({ places, leasing }: Queue, error: unknown): void {
    if (leasing) leasing.isAsked = false
    for (const { of } of places) of.reject(error)
  }

  /** Gives those who wait what came, in their order; what is over stays in hand. */
  function give(
    { wanted, places, leasing }: Queue,
    { granted, used, quota, resetMs, shared }: Taken,
    askedAt: number,
  ): void {
    if (leasing) leasing.isAsked = false
    const resetAt = askedAt + resetMs
    const taken = { quota, resetAt, shared, leased: false }
    const lease = shared && mayLease(wanted) ? renewLease(wanted, { used, resetAt }) : undefined
    for (const [order, { of, index }] of places.entries()) {
      if (order < granted) of.permits[index] = { ...taken, granted: true, used: used - granted + order + 1 }
      else if (lease && lease.permits > 0) of.permits[index] = useLease(lease, wanted)
      else of.permits[index] = { ...taken, granted: false, used }
      if (--of.missing === 0) of.resolve(of.permits)
    }
    if (lease) lease.permits += Math.max(0, granted - places.length)
  }

  function renewLease(wanted: Wanted, { used, resetAt }: Pick<Permit, 'used' | 'resetAt'>): Lease {
    const known = leaseOf(wanted)
    const fairShare = Math.floor((wanted.quota - used) / (2 * replicas))
    const size = known ? Math.min(largestLease, Math.max(0, fairShare), Math.max(1, known.size * 2)) : 0
    if (known) return Object.assign(known, { size, used, resetAt })
    const fresh = { permits: 0, size, isAsked: false, used, resetAt }
    leases.set(leaseId(wanted), fresh)
    return fresh
  }

  /**
   * With those who want the same: `isSame` decides, so none are mixed. Whoever picks addresses of
   * one mark costs the others no more than `largestCall` steps.
   */
  function enqueue(wanted: Wanted, place: Place): void {
    for (let id = hash32(wanted.caller); ; id++) {
      const queue = queues.get(id)
      if (!queue) {
        queues.set(id, { wanted, places: [place] })
        schedule()
        return
      }
      if (isSame(queue.wanted, wanted)) {
        queue.places.push(place)
        return
      }
    }
  }

  return {
    takeAll(wanted: readonly Wanted[]) {
      const permits: Permit[] = []
      const missing: number[] = []
      for (const [index, one] of wanted.entries()) {
        const lease = leaseOf(one)
        if (lease && lease.permits > 0) permits[index] = useLease(lease, one)
        else missing.push(index)
      }
      if (missing.length === 0) return permits
      return new Promise((resolve, reject) => {
        const waiting = { permits, missing: missing.length, resolve, reject }
        for (const index of missing) enqueue(wanted[index] as Wanted, { of: waiting, index })
      })
    },

    giveBack(wanted: Wanted, { resetAt, shared }: Permit) {
      if (resetAt - now() < giveBackMs) return
      givenBack.push(takeOf(wanted, -1, shared))
      schedule()
    },
  }
}
