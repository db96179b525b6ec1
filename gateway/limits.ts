import { createBoundedMap } from '../shared/bounded-map.ts'
import { Problem } from '../shared/errors.ts'
import type { Count, Counter, Now } from './ports.ts'

export type LimitClass = 'address' | 'user'

/** One limit that applies to one request: `quota` requests in `windowSeconds` for `key`. */
export interface Limit {
  name: LimitClass
  key: string
  quota: number
  windowSeconds: number
}

/** The refusal of a request that is over its limits, for the log of them. */
export class RateLimited extends Problem {
  readonly over: readonly Limit[]

  constructor(over: readonly Limit[], headers: Record<string, string>) {
    super('rate_limited', { members: { 'violated-policies': over.map(({ name }) => name) }, headers })
    this.over = over
  }
}

interface LimiterOptions {
  counter: Counter
  now: Now
  /** Gateways that share the traffic: a counter that is not shared allows its share of the quota. */
  replicas: number
}

/** Keys known to be over their limit, remembered per generation. */
const refusedKeys = 10_000

/** Counts requests against their limits and words the answer's fields (draft-ietf-httpapi-ratelimit-headers). */
export function createLimiter({ counter, now, replicas }: LimiterOptions) {
  /** Keys over their limit: until when, in milliseconds since 1970, and at which quota. */
  const refused = createBoundedMap<string, { untilMs: number; quota: number }>(refusedKeys)
  const id = ({ name, key }: Limit) => `${name}:${key}`

  /** @throws RateLimited where a key is known to be over its limit; asks no store */
  function refuseKnown(limit: Limit): void {
    const known = refused.get(id(limit))
    // A higher quota than the one that was used up: the plan has changed since.
    if (!known || known.untilMs <= now() || known.quota < limit.quota) return
    const resetMs = known.untilMs - now()
    throw tooMany([limit], fields([{ limit, quota: limit.quota, remaining: 0, resetMs }]), resetMs)
  }

  /**
   * Counts one request against all its limits at once.
   *
   * @returns the RateLimit fields of the answer
   * @throws RateLimited naming the limits that are over
   */
  async function count(limits: readonly Limit[]): Promise<Record<string, string>> {
    for (const limit of limits) refuseKnown(limit)
    const states = await Promise.all(
      limits.map(async (limit) => state(limit, await counter.add(id(limit), limit.windowSeconds))),
    )
    const over = states.filter(({ used, quota }) => used > quota)
    if (over.length === 0) return fields(states)
    // What a gateway counts alone holds only until the shared counter is back, so it is not remembered.
    for (const { limit, resetMs, shared } of over) {
      if (shared) refused.set(id(limit), { untilMs: now() + resetMs, quota: limit.quota })
    }
    throw tooMany(
      over.map(({ limit }) => limit),
      fields(states),
      Math.max(...over.map(({ resetMs }) => resetMs)),
    )
  }

  function state(limit: Limit, { used, resetMs, shared }: Count) {
    const quota = shared ? limit.quota : Math.ceil(limit.quota / replicas)
    return { limit, used, quota, remaining: Math.max(0, quota - used), resetMs, shared }
  }

  return { count, refuseKnown }
}

export type Limiter = ReturnType<typeof createLimiter>

interface LimitState {
  limit: Limit
  quota: number
  remaining: number
  resetMs: number
}

const inSeconds = (milliseconds: number) => Math.max(1, Math.ceil(milliseconds / 1000))

function fields(states: readonly LimitState[]): Record<string, string> {
  return {
    'ratelimit-policy': states
      .map(({ limit, quota }) => `"${limit.name}";q=${quota};w=${limit.windowSeconds}`)
      .join(', '),
    ratelimit: states
      .map(({ limit, remaining, resetMs }) => `"${limit.name}";r=${remaining};t=${inSeconds(resetMs)}`)
      .join(', '),
  }
}

function tooMany(over: readonly Limit[], headers: Record<string, string>, resetMs: number): RateLimited {
  return new RateLimited(over, { ...headers, 'retry-after': String(inSeconds(resetMs)) })
}
