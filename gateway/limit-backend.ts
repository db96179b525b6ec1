import type { Identity } from '../shared/auth/claims.ts'
import type { HealthCheck } from '../shared/http/health.ts'
import type { Log } from '../shared/lib/log.ts'
import type { GatewayConfig } from './config.ts'
import type { Defer, LimitAndRevocationStore, Now, RateLimitStore, WaitUntil } from './ports.ts'
import { createBatchedConsumer, type LimitConsumer } from './rate-limit/batched-consumer.ts'
import { createPerRequestConsumer } from './rate-limit/per-request-consumer.ts'
import type { Revocations } from './revocation/revocation-index.ts'
import type { createRevocationSync } from './revocation/revocation-sync.ts'

/** The sources of limits and revocations, which differ by runtime. */
export interface LimitBackend {
  limitConsumer: LimitConsumer
  /**
   * Compares a token with later revocations; missing where `limitConsumer` does so in the same
   * call.
   *
   * @throws Problem with the rejection
   */
  throwIfRevoked: ((identity: Identity) => void) | undefined
  limiterHealth: () => Promise<HealthCheck>
  revocationHealth: () => HealthCheck
  /** Resolves when requests can be decided. */
  start: () => Promise<void>
}

/** The parts of a gateway that a limit backend works with. */
interface LimitBackendParts {
  config: Pick<GatewayConfig, 'GATEWAY_REPLICAS'>
  revocations: Revocations
  revocationSync: ReturnType<typeof createRevocationSync>
  now: Now
  log: Log
}

export type CreateLimitBackend = (parts: LimitBackendParts) => LimitBackend

interface BatchedBackendOptions {
  rateLimitStore: RateLimitStore
  /** Health of the rate-limit store. */
  limiterHealth: () => Promise<HealthCheck>
  /**
   * By default a microtask; the end of the turn where a turn of the event loop reads several
   * requests.
   */
  defer?: Defer | undefined
}

/**
 * For a runtime that keeps memory between requests: limits are batched, and revocations are
 * followed.
 */
export const createBatchedBackend =
  ({ rateLimitStore, limiterHealth, defer = queueMicrotask }: BatchedBackendOptions): CreateLimitBackend =>
  ({ revocations, revocationSync, now }) => ({
    limitConsumer: createBatchedConsumer({ rateLimitStore, now, defer }),
    throwIfRevoked: revocations.throwIfRevoked,
    limiterHealth,
    revocationHealth: revocationSync.health,
    start: revocationSync.start,
  })

interface PerRequestBackendOptions {
  store: LimitAndRevocationStore
  /** Counts requests while the store is unavailable. */
  local: RateLimitStore
  waitUntil: WaitUntil
}

/**
 * For a runtime without memory between requests: each request asks the store for its limits and
 * revocations in one call. It reads the revocation feed where the store does not reply, and never
 * in the background.
 */
export const createPerRequestBackend =
  ({ store, local, waitUntil }: PerRequestBackendOptions): CreateLimitBackend =>
  ({ config, revocations, revocationSync, now, log }) => {
    const limits = createPerRequestConsumer({
      store,
      local,
      replicas: config.GATEWAY_REPLICAS,
      async throwIfRevokedByFeed(identity) {
        await revocationSync.refreshIfStale()
        revocations.throwIfRevoked(identity)
      },
      waitUntil,
      now,
      log,
    })
    return {
      limitConsumer: limits,
      throwIfRevoked: undefined,
      limiterHealth: limits.limiterHealth,
      revocationHealth: limits.health,
      start: async () => {},
    }
  }
