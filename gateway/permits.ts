import { allThen, type Eventually } from '../shared/async.ts'
import { createBoundedMap } from '../shared/bounded-map.ts'
import type { Identity } from '../shared/claims.ts'
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
export type Permit = Pick<Taken, 'used' | 'quota' | 'shared'> & {
  granted: boolean
  /** Milliseconds since 1970: no later than the window's end. */
  resetAt: number
  /** Whether it was in hand. */
  leased: boolean
}

/** What one request wants: one permit. */
export type Wanted = Omit<Take, 'permits' | 'shared'>

/** Where requests have their permits from. */
export interface Permits {
  /**
   * All that one request wants.
   *
   * @param bearer whose request it is; for permits that hold tokens against what was revoked, and then throw Problem
   */
  takeAll(wanted: readonly Wanted[], bearer: Identity | undefined): Eventually<readonly Permit[]>
  /**
   * Gives a permit back to the window that it is of. Nobody waits for that; one that is lost with its store, or would come about when the
   * window ends, lapses with it.
   */
  giveBack(wanted: Wanted, permit: Permit): void
}

interface Waiting {
  resolve: (permit: Permit) => void
  reject: (error: unknown) => void
}

/** Those who want the same at the same time. */
interface Queue {
  wanted: Wanted
  waiting: Waiting[]
  /** The lease that some are taken for beyond those, on their way. */
  leasing?: Lease | undefined
}

/** Permits in hand, taken in advance. */
interface Lease {
  permits: number
  /** Permits to take with the next call, beyond those asked for. */
  size: number
  /** Whether a call that takes some is on its way: one at a time, so that a slow counter does not fill the hand. */
  isAsked: boolean
  used: number
  /** Milliseconds since 1970. */
  resetAt: number
}

/** Leases held per generation, two of which are. */
const leasesHeld = 50_000

/** What a permit may need on its way back: more than a counter is waited for. */
export const giveBackMs = 100

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

  /** With the quota: who has changed plans in this moment is held against the new one, whoever else waits. */
  const idOf = ({ key, windowSeconds, quota }: Wanted) => `${windowSeconds}:${quota}:${key}`

  function leaseOf(id: string): Lease | undefined {
    const lease = leases.get(id)
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
    const asked = [...queues]
    const takes = givenBack
    queues = new Map()
    givenBack = []
    for (const [id, queue] of asked)
      takes.push({ ...queue.wanted, permits: queue.waiting.length + permitsToLease(id, queue) })
    if (takes.length === 0) return
    const first = takes.length - asked.length
    // A window ends at the counter, which was asked later than this: no permit is used beyond its window.
    const askedAt = now()
    counter.take(takes).then(
      (answers) => {
        for (const [index, [id, queue]] of asked.entries())
          give(id, queue, answers[first + index] as Taken, askedAt)
      },
      (error) => {
        for (const [, queue] of asked) fail(queue, error)
      },
    )
  }

  /** How many to take in advance: no more than the hand has room for. */
  function permitsToLease(id: string, queue: Queue): number {
    const lease = leaseOf(id)
    if (!lease || lease.isAsked) return 0
    const permits = Math.min(lease.size, largestLease - lease.permits)
    if (permits <= 0) return 0
    lease.isAsked = true
    queue.leasing = lease
    return permits
  }

  function fail({ waiting, leasing }: Queue, error: unknown): void {
    if (leasing) leasing.isAsked = false
    for (const { reject } of waiting) reject(error)
  }

  /** Gives those who wait what came, in their order; what is over stays in hand. */
  function give(
    id: string,
    { wanted, waiting, leasing }: Queue,
    { granted, used, quota, resetMs, shared }: Taken,
    askedAt: number,
  ): void {
    if (leasing) leasing.isAsked = false
    const rest = { quota, resetAt: askedAt + resetMs, shared, leased: false }
    const lease = shared && mayLease(wanted) ? renewLease(id, wanted, { ...rest, used }) : undefined
    for (const [index, { resolve }] of waiting.entries()) {
      if (index < granted) resolve({ ...rest, granted: true, used: used - granted + index + 1 })
      else if (lease && lease.permits > 0) resolve(useLease(lease, wanted))
      else resolve({ ...rest, granted: false, used })
    }
    if (lease) lease.permits += Math.max(0, granted - waiting.length)
  }

  const mayLease = ({ outage }: Wanted) => largestLease > 0 && outage === 'share'

  function renewLease(
    id: string,
    { quota }: Wanted,
    { used, resetAt }: Pick<Permit, 'used' | 'resetAt'>,
  ): Lease {
    const known = leaseOf(id)
    const fairShare = Math.floor((quota - used) / (2 * replicas))
    const size = known ? Math.min(largestLease, Math.max(0, fairShare), Math.max(1, known.size * 2)) : 0
    if (known) return Object.assign(known, { size, used, resetAt })
    const fresh = { permits: 0, size, isAsked: false, used, resetAt }
    leases.set(id, fresh)
    return fresh
  }

  function take(wanted: Wanted): Eventually<Permit> {
    const id = idOf(wanted)
    const lease = mayLease(wanted) ? leaseOf(id) : undefined
    if (lease && lease.permits > 0) return useLease(lease, wanted)
    return new Promise((resolve, reject) => {
      const queue = queues.get(id)
      if (queue) queue.waiting.push({ resolve, reject })
      else {
        queues.set(id, { wanted, waiting: [{ resolve, reject }] })
        schedule()
      }
    })
  }

  return {
    take,

    takeAll: (wanted: readonly Wanted[]) => allThen(wanted.map(take), (permits) => permits),

    giveBack(wanted: Wanted, { resetAt, shared }: Permit) {
      if (resetAt - now() < giveBackMs) return
      givenBack.push({ ...wanted, permits: -1, shared })
      schedule()
    },
  } satisfies Permits & { take: unknown }
}
