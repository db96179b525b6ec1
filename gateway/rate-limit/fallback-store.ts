import type { HealthCheck } from '../../shared/http/health.ts'
import type { Log } from '../../shared/lib/log.ts'
import { redisFailure } from '../../shared/lib/redis-failure.ts'
import { type Breaker, createBreaker } from '../lib/circuit-breaker.ts'
import type { ConsumeRequest, ConsumeResult, Now, RateLimitStore } from '../ports.ts'

/** The most that counting may add to a request. */
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
 * A token that always is one more write in its window. A store that is full, or a replica, reads
 * windows and refuses to write them, so that a call for a key over its quota would pass for a
 * success.
 */
export const probeRequest: ConsumeRequest = {
  key: 'probe',
  windowSeconds: 1,
  quota: Number.MAX_SAFE_INTEGER,
  tokens: 1,
  outage: 'share',
}

/**
 * Two keys, which a Redis Cluster keeps in two slots: one that is taken for a single server refuses
 * them, where it might take one key by chance.
 */
const probeRequests: readonly ConsumeRequest[] = [probeRequest, { ...probeRequest, key: 'probe-2' }]

/** How limits are counted at this moment, for readiness: in words fit for the public. */
export async function storeHealth({ check, isOpen, cause: causeOf }: Breaker): Promise<HealthCheck> {
  const startedAt = performance.now()
  await check()
  const timeMs = Math.round(performance.now() - startedAt)
  if (!isOpen()) return { status: 'pass', time_ms: timeMs, detail: 'redis' }
  // Limits still hold without Redis, if less exactly: a warning, not a reason to send requests
  // elsewhere.
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
      const asked = requests.some(({ shared }) => shared === false) ? requests.map(ofShared) : requests
      const results = await breaker.ask(() => shared.consume(asked))
      return results ?? local.consume(requests.map((request) => shareOf(request, replicas)))
    },

    /** Whether limits are counted here alone at this moment. */
    isLocal: breaker.isOpen,

    health: () => storeHealth(breaker),
  } satisfies RateLimitStore & { isLocal: () => boolean; health: () => Promise<HealthCheck> }
}

/**
 * How many tokens a window grants of which so many are used; negative for a refund.
 */
export const grantedOf = ({ tokens, quota }: ConsumeRequest, used: number): number =>
  tokens < 0 ? Math.max(tokens, -used) : Math.min(tokens, Math.max(0, quota - used))

/**
 * A token is refunded to the store that granted it or to none: the other would grant one more than
 * its limit.
 */
const nothingOf = (request: ConsumeRequest): ConsumeRequest => ({ ...request, tokens: 0 })

/** The request as the shared store gets it. */
export const ofShared = (request: ConsumeRequest): ConsumeRequest =>
  request.shared === false ? nothingOf(request) : request

/**
 * The request as this gateway's own store gets it. An outage must not make guesses at a password
 * cheaper: a strict limit gets half of its part, and never less than one attempt.
 */
export function shareOf(request: ConsumeRequest, replicas: number): ConsumeRequest {
  if (request.shared) return nothingOf(request)
  const parts = request.outage === 'strict' ? 2 * replicas : replicas
  return { ...request, quota: Math.max(1, Math.ceil(request.quota / parts)) }
}
