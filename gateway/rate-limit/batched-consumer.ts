import type { Identity } from '../../shared/auth/claims.ts'
import { hash30 } from '../../shared/lib/hash30.ts'
import type { EpochMs } from '../../shared/lib/time.ts'
import { consumeRequestOf, isSameLimit, type Limit } from '../limits/limit-rule.ts'
import type { ConsumeRequest, ConsumeResult, Defer, Now, RateLimitStore } from '../ports.ts'

interface BatchedConsumerOptions {
  rateLimitStore: RateLimitStore
  now: Now
  defer: Defer
}

/** The result of one limit: a token, or none. */
export type LimitResult = Pick<ConsumeResult, 'used' | 'quota' | 'shared'> & {
  /** True for a request of cost 0, which only reads. */
  granted: boolean
  /** No later than the window's end. */
  resetAt: EpochMs
  /** Until when tokens can be refunded. */
  refundableUntil: EpochMs
  isUnavailable: boolean
}

/** Consumes, refunds and adds tokens of requests. */
export interface LimitConsumer {
  /**
   * Consumes the tokens of each limit of a request.
   *
   * @param limits one at least
   * @param identity whose request it is; an implementation that checks revocations throws Problem
   */
  consumeAll(limits: readonly Limit[], identity: Identity | undefined): Promise<readonly LimitResult[]>
  /**
   * Refunds tokens to their window, or consumes as many more as are left, in the background. An
   * adjustment that is lost with its store, or would arrive about when the window ends, is dropped.
   *
   * @param tokens negative to refund
   */
  adjust(limit: Limit, result: LimitResult, tokens: number): void
}

/** Where the result of one limit of one request belongs. */
interface ResultSlot {
  results: LimitResult[]
  index: number
}

/** Requests for the same key in the same tick. Most keys have one request, which needs no array. */
interface Queue {
  limit: Limit
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
  refundableUntil: 0,
  shared: false,
  isUnavailable: false,
}

/** The longest an adjustment may take: more than the timeout of the store. */
const maxAdjustMs = 100

/** Whether the window is still that of the result when an adjustment arrives. */
export const mayBeAdjusted = ({ refundableUntil }: LimitResult, at: EpochMs): boolean =>
  refundableUntil - at >= maxAdjustMs

/** The request that adjusts the tokens at the store that granted them. */
export const adjustRequestOf = (
  limit: Limit,
  { shared }: LimitResult,
  tokens: number,
  at: EpochMs,
): ConsumeRequest => ({
  ...consumeRequestOf(limit, tokens, at, shared ? 'shared' : 'local'),
  cost: 1,
})

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
  let adjustments: ConsumeRequest[] = []
  /** Settled with the next call: one promise for all requests of a tick. */
  let called = Promise.withResolvers<void>()

  function schedule(): void {
    if (queues.size + adjustments.length === 1) defer(call)
  }

  function callIfLarge(): void {
    if (queues.size + adjustments.length >= maxKeysPerCall) call()
  }

  function call(): void {
    const sent = [...queues.values()]
    const requests = adjustments
    const { resolve, reject } = called
    queues = new Map()
    adjustments = []
    called = Promise.withResolvers()
    // The store starts the window after this moment, so no token is used beyond its window.
    const askedAt = now()
    for (const { limit, others } of sent)
      requests.push(consumeRequestOf(limit, (1 + others.length) * limit.cost, askedAt))
    if (requests.length === 0) return
    const first = requests.length - sent.length
    const delivered = rateLimitStore.consume(requests).then((results) => {
      for (let i = 0; i < sent.length; i++)
        deliverResults(sent[i] as Queue, results[first + i] as ConsumeResult, askedAt)
    })
    delivered.then(resolve, (error) => {
      // Adjustments have no waiting request.
      if (sent.length > 0) reject(error)
    })
  }

  /** Delivers the granted tokens in the order of the requests. */
  function deliverResults({ limit, first, others }: Queue, result: ConsumeResult, askedAt: EpochMs): void {
    const { granted, quota, resetMs, bucketMs = resetMs, shared, isUnavailable = false } = result
    const { cost } = limit
    const resetAt = askedAt + resetMs
    const refundableUntil = askedAt + bucketMs
    for (let order = 0; order <= others.length; order++) {
      const { results, index } = order === 0 ? first : (others[order - 1] as ResultSlot)
      const tokensSoFar = (order + 1) * cost
      const isGranted = tokensSoFar <= granted || cost === 0
      const used = isGranted ? result.used - granted + tokensSoFar : result.used
      results[index] = { granted: isGranted, used, quota, resetAt, refundableUntil, shared, isUnavailable }
    }
  }

  /**
   * Joins the queue of the same limit. `isSameLimit` compares whole keys, so colliding hashes never
   * mix; an attacker who picks addresses of one hash costs at most `maxKeysPerCall` steps.
   */
  function enqueue(limit: Limit, results: LimitResult[], index: number): void {
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
    consumeAll(limits: readonly Limit[]) {
      const results = limits.map(() => pending)
      for (let index = 0; index < limits.length; index++) enqueue(limits[index] as Limit, results, index)
      // All limits of a request are in one call, so one promise is enough.
      const { promise } = called
      callIfLarge()
      return promise.then(() => results)
    },

    adjust(limit: Limit, result: LimitResult, tokens: number) {
      const at = now()
      if (!mayBeAdjusted(result, at)) return
      adjustments.push(adjustRequestOf(limit, result, tokens, at))
      schedule()
      callIfLarge()
    },
  }
}
