import { addressKey } from '../../shared/http/address-key.ts'
import { deviceCookie } from '../../shared/http/headers.ts'
import type { OverLimit } from '../../shared/http/over-limit.ts'
import type { Eventually } from '../../shared/lib/async.ts'
import { createTurns } from '../lib/turns.ts'
import type { OverLimitRule } from './limit-classes.ts'
import { type Counted, RateLimited } from './limiter.ts'

/**
 * Requests over a limit that one address may have at the origin at once, those that wait, and for
 * how long.
 */
const ofOneAddress = { inProgress: 8, waiting: 50, longestWaitMs: 10_000 }

/** A request over its limits that the origin decides about. */
export interface ForwardedOverLimit {
  refusal: RateLimited
  /** For the origin, which answers with it what is not genuine. */
  mark: OverLimit
}

/** A request that is within its limits, or is forwarded over them. */
export interface CountedOrOver extends Counted {
  over?: ForwardedOverLimit | undefined
}

/** Bounds the requests over their limits that one address has at the origin at once. */
export function createOverLimitQueue() {
  const turns = createTurns(ofOneAddress)

  return function enqueue(address: string, ended: (status: number) => void) {
    const caller = addressKey(address)
    let isEnded = false
    let hasPlace = false
    return {
      /** Called when the body is in: a client that sends one slowly takes no place from others. */
      async waitForPlace(signal: AbortSignal): Promise<void> {
        await turns.enter(caller, signal)
        if (isEnded) turns.leave(caller)
        else hasPlace = true
      },
      ended(status: number): void {
        isEnded = true
        if (hasPlace) turns.leave(caller)
        ended(status)
      },
    }
  }
}

/** One of our own cookies; whether it is genuine is for the origin to say. */
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
 * Counts a request that may exceed its limits. @throws what `count` does but RateLimited, at once
 * or later
 */
export function countOrForward(count: () => Eventually<Counted>): Eventually<CountedOrOver> {
  try {
    const counted = count()
    return counted instanceof Promise ? counted.catch(forwardOverLimit) : counted
  } catch (error) {
    return forwardOverLimit(error)
  }
}

function forwardOverLimit(error: unknown): CountedOrOver {
  if (!(error instanceof RateLimited)) throw error
  const { over, fields, retryAfterSeconds } = error
  return {
    fields,
    settle: undefined,
    over: {
      refusal: error,
      mark: { policies: over.map(({ name }) => name), retryAfterSeconds },
    },
  }
}
