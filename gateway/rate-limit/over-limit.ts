import { addressKey } from '../../shared/http/address-key.ts'
import { deviceCookie } from '../../shared/http/headers.ts'
import { type OverLimit, overLimitProblem } from '../../shared/http/over-limit.ts'
import type { Awaitable } from '../../shared/lib/async.ts'
import { createKeyedSemaphore } from '../lib/keyed-semaphore.ts'
import type { OverLimitRule } from '../limits/limit-classes.ts'
import { createBodyLimiter } from './body-limiter.ts'
import type { CountedRequest } from './limiter.ts'
import { RateLimited } from './rate-limited.ts'

/**
 * Per address and limit: requests in progress at the origin, requests that wait, and the longest
 * wait.
 */
const queueOptions = { inProgress: 8, waiting: 50, maxWaitMs: 10_000 }

/** Per address: request bodies in transit over limits, and the longest time of each. */
const bodiesOfOneAddress = { maxBodies: 100, maxMs: 10_000 }

/** Resources that a request over its limits holds. */
export interface OverLimitSlot {
  /** Aborted, with a Problem, where the request may send no more of its body. */
  bodySignal: AbortSignal
  /**
   * Called when the body is in, before the request goes upstream.
   *
   * @param signal aborted when the client leaves
   * @throws Problem `overloaded`, `client_closed_request`
   */
  acquire(signal: AbortSignal): Promise<void>
  /** Releases the resources; further calls do nothing. */
  release(): void
}

/** A request over its limits that is forwarded for the origin to decide. */
export interface ForwardedOverLimit {
  rejection: RateLimited
  /** Goes to the origin in a header: it rejects wrong credentials with these limits. */
  exceededLimits: OverLimit
}

/** A request that is within its limits, or is forwarded over them. */
export interface LimitOutcome extends CountedRequest {
  forwarded?: ForwardedOverLimit | undefined
}

/**
 * Bounds the concurrent requests over limits that one address has at the origin. Each limit has its
 * own queue, so that made-up refresh tokens delay neither logins nor OAuth clients.
 */
export function createOverLimitQueue() {
  const semaphore = createKeyedSemaphore(queueOptions)
  const bodies = createBodyLimiter(bodiesOfOneAddress)

  return function enqueue(address: string, exceededLimits: OverLimit): OverLimitSlot {
    const key = addressKey(address)
    const queue = `${exceededLimits.policies.join()} ${key}`
    const body = bodies.begin(key, () =>
      overLimitProblem(exceededLimits, 'too many slow bodies of its address'),
    )
    let hasLeft = false
    let hasSlot = false
    return {
      bodySignal: body.signal,
      async acquire(signal) {
        body.end()
        await semaphore.acquire(queue, signal)
        if (hasLeft) semaphore.release(queue)
        else hasSlot = true
      },
      release() {
        body.end()
        hasLeft = true
        if (hasSlot) semaphore.release(queue)
        hasSlot = false
      },
    }
  }
}

/** Checks for the cookie only; the origin verifies it. */
const hasDeviceCookie = (cookie: string | undefined) =>
  cookie?.split(';').some((pair) => pair.trimStart().startsWith(`${deviceCookie}=`)) === true

/** Whether a request over its limits is forwarded. */
export function mayExceedLimits(
  { over_limit }: { over_limit: OverLimitRule },
  cookie: string | undefined,
): boolean {
  return over_limit === 'forward' || (over_limit === 'forward_known_device' && hasDeviceCookie(cookie))
}

/**
 * Counts a request that may exceed its limits. Throws what `count` throws, except RateLimited.
 */
export function countOrForward(count: () => Awaitable<CountedRequest>): Awaitable<LimitOutcome> {
  try {
    const counted = count()
    return counted instanceof Promise ? counted.catch(forwardOverLimit) : counted
  } catch (error) {
    return forwardOverLimit(error)
  }
}

function forwardOverLimit(error: unknown): LimitOutcome {
  if (!(error instanceof RateLimited)) throw error
  const { exceeded, limitHeaders, retryAfterSeconds } = error
  return {
    limitHeaders,
    endAttempt: undefined,
    settleCosts: undefined,
    reported: [],
    forwarded: {
      rejection: error,
      exceededLimits: { policies: exceeded.map(({ rule }) => rule.name), retryAfterSeconds },
    },
  }
}
