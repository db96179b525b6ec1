import type { Identity } from '../../shared/auth/claims.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { HealthCheck } from '../../shared/http/health.ts'
import type { Log } from '../../shared/lib/log.ts'
import { createBreaker } from '../lib/circuit-breaker.ts'
import { consumeRequestOf, type Limit } from '../limits/limit-rule.ts'
import type {
  ConsumeRequest,
  ConsumeResult,
  LimitAndRevocationStore,
  Now,
  RateLimitStore,
  StoreResult,
  WaitUntil,
} from '../ports.ts'
import { adjustRequestOf, type LimitConsumer, type LimitResult, mayBeAdjusted } from './batched-consumer.ts'
import { consumeLocally, forSharedStore, probeRequest, storeHealth } from './fallback-store.ts'

interface PerRequestConsumerOptions {
  store: LimitAndRevocationStore
  /** This gateway's own store. */
  local: RateLimitStore
  /** Gateways that share the traffic. */
  replicas: number
  /** Checks an access token against the origin's feed. @throws Problem with the rejection */
  throwIfRevokedByFeed: (identity: Identity) => Promise<void>
  waitUntil: WaitUntil
  now: Now
  log: Log
}

/**
 * Longest delay that a store call adds to a request. It includes opening a TLS connection to
 * another region.
 */
const timeoutMs = 500

/**
 * The limits of a runtime that keeps nothing between requests: each request calls the store, and
 * the same response says whether its access token was revoked. A revoked one consumes nothing.
 *
 * Without the store, or where its revocations may be incomplete, the gateway reads the origin's
 * feed. Without the store the gateway counts limits alone, at its share of the quota.
 */
export function createPerRequestConsumer(options: PerRequestConsumerOptions) {
  const { store, local, replicas, throwIfRevokedByFeed, waitUntil, now, log } = options
  let isComplete = true

  const breaker = createBreaker({
    timeoutMs,
    probe: () => store.consumeUnlessRevoked(undefined, [probeRequest]),
    now,
    onOpen: (error) => log.warn({ err: error }, 'store unavailable: limits count locally'),
    onClose: () => log.info({}, 'store available again'),
  })

  function recordCompleteness(complete: boolean): void {
    if (isComplete && !complete) log.warn({}, 'revocations in the store may be incomplete: reading the feed')
    isComplete = complete
  }

  const consumeUnlessRevoked = (identity: Identity | undefined, requests: readonly ConsumeRequest[]) =>
    breaker.call<StoreResult>(() => store.consumeUnlessRevoked(identity, requests.map(forSharedStore)))

  async function consume(
    requests: readonly ConsumeRequest[],
    identity: Identity | undefined,
  ): Promise<ConsumeResult[]> {
    const result = await consumeUnlessRevoked(identity, requests)
    if (identity && result) recordCompleteness(result.kind !== 'incomplete')
    switch (result?.kind) {
      case 'consumed':
        return result.results
      case 'revoked':
        throw new Problem(result.scope === 'session' ? 'session_ended' : 'claims_stale')
      case 'incomplete':
      case undefined:
        return consumeByFeed(requests, identity)
    }
  }

  async function consumeByFeed(
    requests: readonly ConsumeRequest[],
    identity: Identity | undefined,
  ): Promise<ConsumeResult[]> {
    if (identity) await throwIfRevokedByFeed(identity)
    const result = await consumeUnlessRevoked(undefined, requests)
    if (result?.kind === 'consumed') return result.results
    return consumeLocally(local, requests, replicas)
  }

  return {
    async consumeAll(limits: readonly Limit[], identity: Identity | undefined): Promise<LimitResult[]> {
      const at = now()
      const results = await consume(
        limits.map((one) => consumeRequestOf(one, one.cost, at)),
        identity,
      )
      const answeredAt = now()
      return results.map(
        ({ granted, used, quota, resetMs, bucketMs = resetMs, shared, isUnavailable = false }, index) => ({
          granted: granted > 0 || limits[index]?.cost === 0,
          used,
          quota,
          resetAt: answeredAt + resetMs,
          refundableUntil: answeredAt + bucketMs,
          shared,
          isUnavailable,
        }),
      )
    },

    adjust(limit: Limit, result: LimitResult, tokens: number): void {
      const at = now()
      if (mayBeAdjusted(result, at))
        waitUntil(consume([adjustRequestOf(limit, result, tokens, at)], undefined))
    },

    /** How limits are counted. */
    limiterHealth: () => storeHealth(breaker),

    /** The latest source of revocations. */
    health(): HealthCheck {
      if (breaker.isOpen() || !isComplete) return { status: 'warn', detail: 'feed' }
      return { status: 'pass', detail: 'store' }
    },
  } satisfies LimitConsumer & { health: () => HealthCheck; limiterHealth: () => Promise<HealthCheck> }
}
