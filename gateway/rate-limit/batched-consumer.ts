import type { Identity } from '../../shared/auth/claims.ts'
import { hash30 } from '../../shared/lib/hash30.ts'
import type { EpochMs } from '../../shared/lib/time.ts'
import type { ConsumeRequest, ConsumeResult, Defer, Now, RateLimitStore } from '../ports.ts'
import { isSameLimit, type KeyedLimit } from './keyed-limit.ts'

interface BatchedConsumerOptions {
  rateLimitStore: RateLimitStore
  now: Now
  defer: Defer
}

/** The result of one limit: a token, or none. */
export type LimitResult = Pick<ConsumeResult, 'used' | 'quota' | 'shared'> & {
  granted: boolean
  /** No later than the window's end. */
  resetAt: EpochMs
}

/** Consumes and refunds the tokens of requests. */
export interface LimitConsumer {
  /**
   * Consumes one token of each limit of a request.
   *
   * @param limits one at least
   * @param identity whose request it is; an implementation that checks revocations throws Problem
   */
  consumeAll(limits: readonly KeyedLimit[], identity: Identity | undefined): Promise<readonly LimitResult[]>
  /**
   * Refunds a token to its window, in the background. A refund that is lost with its store, or
   * would arrive about when the window ends, is dropped.
   */
  refund(limit: KeyedLimit, result: LimitResult): void
}

/** Where the result of one limit of one request belongs. */
interface ResultSlot {
  results: LimitResult[]
  index: number
}

/** Requests for the same key in the same tick. Most keys have one request, which needs no array. */
interface Queue {
  limit: KeyedLimit
  first: ResultSlot
  others: ResultSlot[]
}

/** Shared by queues of one request; never modified. */
const noSlots: ResultSlot[] = []

/** Fills a slot until its result is known. */
const pending: LimitResult = {
  granted: false,
  used: 0,
  quota: 0,
  resetAt: 0,
  shared: false,
}

/** The longest a refund may take: more than the timeout of the store. */
export const maxRefundMs = 100

export const limitKey = ({ name, subject }: KeyedLimit): string => `${name}:${subject}`

export const consumeRequestOf = (
  limit: KeyedLimit,
  tokens: number,
  grantedBy?: ConsumeRequest['grantedBy'],
): ConsumeRequest => ({
  key: limitKey(limit),
  quota: limit.quota,
  windowSeconds: limit.windowSeconds,
  withoutStore: limit.withoutStore,
  tokens,
  grantedBy,
})

/** The request that refunds one token to the store that granted it. */
export const refundRequestOf = (limit: KeyedLimit, { shared }: LimitResult): ConsumeRequest =>
  consumeRequestOf(limit, -1, shared ? 'shared' : 'local')

/**
 * Most keys in a call. All limits of one request go in the same call, so a call may exceed it.
 */
const maxKeysPerCall = 500

/**
 * Consumes tokens for requests. All requests of one tick travel in one call of the store, added up
 * by key.
 */
export function createBatchedConsumer({ rateLimitStore, now, defer }: BatchedConsumerOptions): LimitConsumer {
  /** By hash, with linear probing. */
  let queues = new Map<number, Queue>()
  let refunds: ConsumeRequest[] = []
  /** Settled with the next call: one promise for all requests of a tick. */
  let called = Promise.withResolvers<void>()

  function schedule(): void {
    if (queues.size + refunds.length === 1) defer(call)
  }

  function callIfLarge(): void {
    if (queues.size + refunds.length >= maxKeysPerCall) call()
  }

  function call(): void {
    const sent = [...queues.values()]
    const requests = refunds
    const { resolve, reject } = called
    queues = new Map()
    refunds = []
    called = Promise.withResolvers()
    for (const { limit, others } of sent) requests.push(consumeRequestOf(limit, 1 + others.length))
    if (requests.length === 0) return
    const first = requests.length - sent.length
    // The store starts the window after this moment, so no token is used beyond its window.
    const askedAt = now()
    const delivered = rateLimitStore.consume(requests).then((results) => {
      for (let i = 0; i < sent.length; i++)
        deliverResults(sent[i] as Queue, results[first + i] as ConsumeResult, askedAt)
    })
    delivered.then(resolve, (error) => {
      // Refunds have no waiting request.
      if (sent.length > 0) reject(error)
    })
  }

  /** Delivers the granted tokens in the order of the requests. */
  function deliverResults({ first, others }: Queue, result: ConsumeResult, askedAt: EpochMs): void {
    const { granted, quota, shared } = result
    const resetAt = askedAt + result.resetMs
    for (let order = 0; order <= others.length; order++) {
      const { results, index } = order === 0 ? first : (others[order - 1] as ResultSlot)
      const isGranted = order < granted
      const used = isGranted ? result.used - granted + order + 1 : result.used
      results[index] = { granted: isGranted, used, quota, resetAt, shared }
    }
  }

  /**
   * Joins the queue of the same limit. `isSameLimit` compares whole keys, so colliding hashes never
   * mix; an attacker who picks addresses of one hash costs at most `maxKeysPerCall` steps.
   */
  function enqueue(limit: KeyedLimit, results: LimitResult[], index: number): void {
    for (let id = hash30(limit.subject); ; id++) {
      const queue = queues.get(id)
      if (!queue) {
        queues.set(id, { limit, first: { results, index }, others: noSlots })
        schedule()
        return
      }
      if (isSameLimit(queue.limit, limit)) {
        if (queue.others === noSlots) queue.others = [{ results, index }]
        else queue.others.push({ results, index })
        return
      }
    }
  }

  return {
    consumeAll(limits: readonly KeyedLimit[]) {
      const results = limits.map(() => pending)
      for (let index = 0; index < limits.length; index++) enqueue(limits[index] as KeyedLimit, results, index)
      // All limits of a request are in one call, so one promise is enough.
      const { promise } = called
      callIfLarge()
      return promise.then(() => results)
    },

    refund(limit: KeyedLimit, result: LimitResult) {
      if (result.resetAt - now() < maxRefundMs) return
      refunds.push(refundRequestOf(limit, result))
      schedule()
      callIfLarge()
    },
  }
}
