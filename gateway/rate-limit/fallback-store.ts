import type { HealthCheck } from '../../shared/http/health.ts'
import type { Log } from '../../shared/lib/log.ts'
import { redisFailure } from '../../shared/lib/redis-failure.ts'
import { type Breaker, createBreaker } from '../lib/circuit-breaker.ts'
import type { ConsumeRequest, ConsumeResult, Now, RateLimitStore } from '../ports.ts'

/** Longest delay that counting adds to a request. */
const timeoutMs = 50

interface FallbackOptions {
  /** The store that all gateways share. */
  shared: RateLimitStore
  /** This gateway's own. */
  local: RateLimitStore
  /**
   * Gateways that share the traffic: each allows its part of a quota while the shared store is
   * unavailable.
   */
  replicas: number
  /** Requests that succeed only where all others do, too. */
  probe?: () => readonly ConsumeRequest[]
  now: Now
  log: Log
}

/**
 * A request that always writes. A full store, or a replica, still reads windows but rejects writes,
 * so a call for a key over its quota would look like a success.
 */
export const probeRequest: ConsumeRequest = {
  key: 'probe',
  windowSeconds: 1,
  quota: Number.MAX_SAFE_INTEGER,
  tokens: 1,
  withoutStore: 'share',
}

/**
 * Two keys, which a Redis Cluster keeps in two slots. A cluster that is configured as a single
 * server rejects them in one call; a single key it might accept by chance.
 */
const probeRequests: readonly ConsumeRequest[] = [probeRequest, { ...probeRequest, key: 'probe-2' }]

/** How limits are counted now, for readiness; contains no internals. */
export async function storeHealth({ check, isOpen, cause: causeOf }: Breaker): Promise<HealthCheck> {
  const startedAt = performance.now()
  await check()
  const timeMs = Math.round(performance.now() - startedAt)
  if (!isOpen()) return { status: 'pass', time_ms: timeMs, detail: 'redis' }
  // Limits hold without Redis, less exactly: a warning, no reason to take the instance out.
  return { status: 'warn', time_ms: timeMs, detail: `local, ${redisFailure(causeOf())}` }
}

/**
 * The shared store with the local one as fallback: an outage of Redis never stops a request and
 * never lifts a limit.
 *
 * The race we accept: a window does not move between the stores, so an outage allows each key one
 * more quota.
 */
export function createFallbackStore({
  shared,
  local,
  replicas,
  probe = () => probeRequests,
  now,
  log,
}: FallbackOptions) {
  const breaker = createBreaker({
    timeoutMs,
    probe: () => shared.consume(probe()),
    now,
    onOpen: (error) => log.warn({ err: error }, 'limits count locally'),
    onClose: () => log.info({}, 'limits count in Redis again'),
  })

  return {
    async consume(requests: readonly ConsumeRequest[]): Promise<ConsumeResult[]> {
      const requestsForShared = requests.some(({ grantedBy }) => grantedBy === 'local')
        ? requests.map(forSharedStore)
        : requests
      const results = await breaker.call(() => shared.consume(requestsForShared))
      return results ?? consumeLocally(local, requests, replicas)
    },

    /** Whether limits are counted locally now. */
    isLocal: breaker.isOpen,

    health: () => storeHealth(breaker),
  } satisfies RateLimitStore & { isLocal: () => boolean; health: () => Promise<HealthCheck> }
}

/**
 * A token is refunded to the store that granted it or to none: the other would grant one more than
 * its limit.
 */
const withoutTokens = (request: ConsumeRequest): ConsumeRequest => ({ ...request, tokens: 0 })

/** The request for the shared store. */
export const forSharedStore = (request: ConsumeRequest): ConsumeRequest =>
  request.grantedBy === 'local' ? withoutTokens(request) : request

/**
 * The request for this gateway's own store. An outage must not make password guesses cheaper: a
 * `half_share` limit gets half of its share, and at least one attempt. `open` and `closed` limits
 * are not counted.
 */
function forLocalStore(request: ConsumeRequest, replicas: number): ConsumeRequest {
  const { withoutStore, quota, grantedBy, cost = 1 } = request
  if (grantedBy === 'shared' || withoutStore === 'open' || withoutStore === 'closed')
    return withoutTokens(request)
  const parts = withoutStore === 'half_share' ? 2 * replicas : replicas
  return { ...request, quota: Math.max(cost, Math.ceil(quota / parts)) }
}

/** Time after which a client of a `closed` limit tries again. */
const unavailableMs = 1000

/** Counts while the shared store is unavailable, as each limit says. */
export async function consumeLocally(
  local: RateLimitStore,
  requests: readonly ConsumeRequest[],
  replicas: number,
): Promise<ConsumeResult[]> {
  const results = await local.consume(requests.map((request) => forLocalStore(request, replicas)))
  return results.map((result, index) => {
    const { withoutStore, tokens, quota } = requests[index] as ConsumeRequest
    if (withoutStore === 'open') return { ...result, granted: tokens, used: Math.min(tokens, quota) }
    if (withoutStore === 'closed')
      return { ...result, granted: 0, used: quota, resetMs: unavailableMs, isUnavailable: true }
    return result
  })
}
