import type { EpochMs } from '../../shared/lib/time.ts'
import type { ConsumeRequest } from '../ports.ts'

/**
 * A window between two calls. A fixed one has no previous bucket. The same state is in Redis, where
 * the key's time to live has the end: what `rate-limit-script.ts` does with it is what stands here.
 */
export interface WindowState {
  /** Tokens of the bucket before, for sliding windows. */
  previous: number
  current: number
  /** End of the current bucket. */
  endsAt: EpochMs
}

interface Consumed {
  state: WindowState
  /** Tokens used before the call. */
  used: number
  granted: number
  /** Milliseconds until the window ends, or until a sliding one has tokens again. */
  resetMs: number
  /** Milliseconds until the current bucket ends. */
  bucketMs: number
}

/** Length of a window that begins now. */
export const windowMs = ({ windowSeconds, endsInMs }: ConsumeRequest): number =>
  endsInMs ?? windowSeconds * 1000

/**
 * Tokens that a window grants after `used` tokens: a whole number of requests of `cost` tokens.
 * Negative for a refund.
 */
export function grantedTokens({ tokens, quota, cost = 1 }: ConsumeRequest, used: number): number {
  if (tokens < 0) return Math.max(tokens, -used)
  const granted = Math.min(tokens, Math.max(0, quota - used))
  return granted - (granted % cost)
}

/** A fixed window begins with a key's first token. */
export function consumeFixed(known: WindowState | undefined, request: ConsumeRequest, at: EpochMs): Consumed {
  const isLive = known !== undefined && known.current > 0 && known.endsAt > at
  const state = isLive ? known : { previous: 0, current: 0, endsAt: at + windowMs(request) }
  const used = state.current
  const granted = grantedTokens(request, used)
  const resetMs = state.endsAt - at
  return { state: { ...state, current: used + granted }, used, granted, resetMs, bucketMs: resetMs }
}

/** The buckets of a sliding window at this moment. */
function bucketsAt(known: WindowState | undefined, length: number, at: EpochMs): WindowState {
  if (known && at < known.endsAt) return known
  if (known && at < known.endsAt + length)
    return { previous: known.current, current: 0, endsAt: known.endsAt + length }
  return { previous: 0, current: 0, endsAt: at + length }
}

/**
 * A sliding window has two buckets of its length. It assumes that the tokens of the earlier one
 * were spread evenly, and counts the part that is not older than the window, rounded up.
 */
export function consumeSliding(
  known: WindowState | undefined,
  request: ConsumeRequest,
  at: EpochMs,
): Consumed {
  const length = windowMs(request)
  const { previous, current: before, endsAt } = bucketsAt(known, length, at)
  const left = endsAt - at
  const used = Math.ceil((previous * left) / length) + before
  const { tokens, quota, cost = 1 } = request
  const granted = tokens < 0 ? Math.max(tokens, -before) : grantedTokens(request, used)
  const current = before + granted
  /** Tokens that may be used so that one more request is granted. */
  const room = Math.max(0, quota - cost)
  let resetMs = left
  if (used + granted > room) {
    if (current <= room) resetMs = left - Math.floor((length * (room - current)) / previous)
    else resetMs = left + length - Math.floor((length * room) / current)
  }
  return { state: { previous, current, endsAt }, used, granted, resetMs, bucketMs: left }
}
