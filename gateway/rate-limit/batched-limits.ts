import type { Identity } from '../../shared/auth/claims.ts'
import type { Awaitable } from '../../shared/lib/async.ts'
import { createBoundedMap } from '../../shared/lib/bounded-map.ts'
import { hash32 } from '../../shared/lib/hash32.ts'
import type { EpochMs } from '../../shared/lib/time.ts'
import type { ConsumeRequest, ConsumeResult, Defer, Now, RateLimitStore } from '../ports.ts'

interface BatchedLimitsOptions {
  rateLimitStore: RateLimitStore
  now: Now
  defer: Defer
  /**
   * The most tokens of a key to prefetch; 0 counts each request at the shared store.
   */
  largestLease: number
  /** Gateways that share the traffic. */
  replicas: number
}

/** The result of one limit: a token, or none. */
export type LimitResult = Pick<ConsumeResult, 'used' | 'quota' | 'shared'> & {
  granted: boolean
  /** No later than the window's end. */
  resetAt: EpochMs
  /** Whether it was prefetched. */
  leased: boolean
}

/** One limit of one request, for one token. The name and the caller make its key. */
export interface LimitRequest extends Omit<ConsumeRequest, 'key' | 'tokens' | 'shared'> {
  name: string
  /** A user's id, an address, or the /64 of one. */
  caller: string
}

/** Consumes and refunds the tokens of requests. */
export interface LimitTokens {
  /**
   * Consumes one token of each limit of a request.
   *
   * @param bearer whose request it is; an implementation that checks revocations throws Problem
   */
  consumeAll(limits: readonly LimitRequest[], bearer: Identity | undefined): Awaitable<readonly LimitResult[]>
  /**
   * Refunds a token to its window, in the background. A refund that is lost with its store, or
   * would arrive about when the window ends, is dropped.
   */
  refund(limit: LimitRequest, result: LimitResult): void
}

/** One token that a request waits for: where its result belongs. */
interface Place {
  results: LimitResult[]
  index: number
}

/** Requests for the same key in the same tick. Most have one, which takes no list. */
interface Queue {
  limit: LimitRequest
  first: Place
  others: Place[]
  /** The lease that this call refills, if any. */
  leasing: Lease | undefined
}

/** Shared by queues of one request; never modified. */
const nobody: Place[] = []

/** Stands in the list of results until the real one is there. */
const pending: LimitResult = {
  granted: false,
  used: 0,
  quota: 0,
  resetAt: 0,
  shared: false,
  leased: false,
}

/** Prefetched tokens. */
interface Lease {
  tokens: number
  /** Tokens to prefetch with the next call. */
  size: number
  /**
   * Whether a call that refills it is pending: one at a time, so that a slow store does not
   * overfill it.
   */
  isAsked: boolean
  used: number
  resetAt: EpochMs
}

/** Leases per generation, of two. */
const leasesHeld = 50_000

/** The longest a refund may take: more than the timeout of the store. */
export const refundMs = 100

export const keyOf = ({ name, caller }: LimitRequest): string => `${name}:${caller}`

export const consumeRequestOf = (limit: LimitRequest, tokens: number, shared?: boolean): ConsumeRequest => ({
  key: keyOf(limit),
  quota: limit.quota,
  windowSeconds: limit.windowSeconds,
  outage: limit.outage,
  tokens,
  shared,
})

const isSame = (one: LimitRequest, other: LimitRequest) =>
  one.caller === other.caller &&
  one.name === other.name &&
  one.quota === other.quota &&
  one.windowSeconds === other.windowSeconds

/**
 * Keys a call, but for those of the request that reaches it: what comes after goes with the next.
 */
const largestCall = 500

/**
 * Consumes tokens for requests. All requests of one tick travel in one call of the store, added up
 * by key.
 *
 * A lease prefetches tokens, so that the next requests of a busy key need no call. It doubles with
 * each call of a window and shrinks with what is left of the quota. Prefetched tokens are consumed
 * at the store, so no quota is ever exceeded; a key may be rejected early, by at most
 * `largestLease` for each other gateway that has prefetched some.
 */
export function createBatchedLimits(options: BatchedLimitsOptions): LimitTokens {
  const { rateLimitStore, now, defer, largestLease, replicas } = options
  const leases = createBoundedMap<string, Lease>(leasesHeld)
  /** By the hash of their caller, or the next free number. */
  let queues = new Map<number, Queue>()
  let refunds: ConsumeRequest[] = []
  /** Settled with the next call: one promise for all requests of a tick. */
  let called = Promise.withResolvers<void>()

  /** Includes the quota, so that a change of plan takes effect at once. */
  const leaseId = (limit: LimitRequest) => `${limit.windowSeconds}:${limit.quota}:${keyOf(limit)}`

  const mayLease = ({ outage }: LimitRequest) => largestLease > 0 && outage === 'share'

  function leaseOf(limit: LimitRequest): Lease | undefined {
    const lease = mayLease(limit) ? leases.get(leaseId(limit)) : undefined
    return lease && lease.resetAt > now() ? lease : undefined
  }

  function useLease(lease: Lease, { quota }: LimitRequest): LimitResult {
    lease.tokens--
    const { used, tokens, resetAt } = lease
    return { granted: true, quota, used: used - tokens, resetAt, shared: true, leased: true }
  }

  function schedule(): void {
    if (queues.size + refunds.length === 1) defer(call)
  }

  function callIfLarge(): void {
    if (queues.size + refunds.length >= largestCall) call()
  }

  function call(): void {
    const asked = [...queues.values()]
    const requests = refunds
    const { resolve, reject } = called
    queues = new Map()
    refunds = []
    called = Promise.withResolvers()
    for (const queue of asked)
      requests.push(consumeRequestOf(queue.limit, 1 + queue.others.length + tokensToPrefetch(queue)))
    if (requests.length === 0) return
    const first = requests.length - asked.length
    // The store starts the window after this moment, so no token is used beyond its window.
    const askedAt = now()
    rateLimitStore.consume(requests).then(
      (results) => {
        for (let i = 0; i < asked.length; i++)
          give(asked[i] as Queue, results[first + i] as ConsumeResult, askedAt)
        resolve()
      },
      (error) => {
        for (const { leasing } of asked) if (leasing) leasing.isAsked = false
        // Nobody waits for refunds.
        if (asked.length > 0) reject(error)
      },
    )
  }

  /** How many tokens to prefetch: no more than the lease has room for. */
  function tokensToPrefetch(queue: Queue): number {
    const lease = leaseOf(queue.limit)
    if (!lease || lease.isAsked) return 0
    const tokens = Math.min(lease.size, largestLease - lease.tokens)
    if (tokens <= 0) return 0
    lease.isAsked = true
    queue.leasing = lease
    return tokens
  }

  /** Delivers the granted tokens in the order of the requests; the rest stays in the lease. */
  function give({ limit, first, others, leasing }: Queue, result: ConsumeResult, askedAt: EpochMs): void {
    if (leasing) leasing.isAsked = false
    const { granted, quota, shared } = result
    const resetAt = askedAt + result.resetMs
    const lease = shared && mayLease(limit) ? renewLease(limit, result.used, resetAt) : undefined
    const wanted = 1 + others.length
    for (let order = 0; order < wanted; order++) {
      const { results, index } = order === 0 ? first : (others[order - 1] as Place)
      const isGranted = order < granted
      if (!isGranted && lease && lease.tokens > 0) {
        results[index] = useLease(lease, limit)
        continue
      }
      const used = isGranted ? result.used - granted + order + 1 : result.used
      results[index] = { granted: isGranted, used, quota, resetAt, shared, leased: false }
    }
    if (lease) lease.tokens += Math.max(0, granted - wanted)
  }

  function renewLease(limit: LimitRequest, used: number, resetAt: EpochMs): Lease {
    const known = leaseOf(limit)
    const fairShare = Math.floor((limit.quota - used) / (2 * replicas))
    const size = known ? Math.min(largestLease, Math.max(0, fairShare), Math.max(1, known.size * 2)) : 0
    if (known) return Object.assign(known, { size, used, resetAt })
    const fresh = { tokens: 0, size, isAsked: false, used, resetAt }
    leases.set(leaseId(limit), fresh)
    return fresh
  }

  /**
   * Joins the queue of the same limit. `isSame` compares whole keys, so colliding hashes never mix;
   * an attacker who picks addresses of one hash costs at most `largestCall` steps.
   */
  function enqueue(limit: LimitRequest, results: LimitResult[], index: number): void {
    for (let id = hash32(limit.caller); ; id++) {
      const queue = queues.get(id)
      if (!queue) {
        queues.set(id, { limit, first: { results, index }, others: nobody, leasing: undefined })
        schedule()
        return
      }
      if (isSame(queue.limit, limit)) {
        if (queue.others === nobody) queue.others = [{ results, index }]
        else queue.others.push({ results, index })
        return
      }
    }
  }

  return {
    consumeAll(limits: readonly LimitRequest[]) {
      const results = limits.map(() => pending)
      let isComplete = true
      for (let index = 0; index < limits.length; index++) {
        const limit = limits[index] as LimitRequest
        const lease = leaseOf(limit)
        if (lease && lease.tokens > 0) results[index] = useLease(lease, limit)
        else {
          isComplete = false
          enqueue(limit, results, index)
        }
      }
      if (isComplete) return results
      // Its tokens are all of one call.
      const { promise } = called
      callIfLarge()
      return promise.then(() => results)
    },

    refund(limit: LimitRequest, { resetAt, shared }: LimitResult) {
      if (resetAt - now() < refundMs) return
      refunds.push(consumeRequestOf(limit, -1, shared))
      schedule()
      callIfLarge()
    },
  }
}
