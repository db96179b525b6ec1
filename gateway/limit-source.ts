import type { Identity } from '../shared/auth/claims.ts'
import type { HealthCheck } from '../shared/http/health.ts'
import type { GatewayConfig } from './config.ts'
import type { GatewayPorts } from './gateway-ports.ts'
import { createBatchedLimits, type LimitTokens } from './rate-limit/batched-limits.ts'
import { createPerRequestLimits } from './rate-limit/per-request-limits.ts'
import type { Revocations } from './revocation/revocation-index.ts'
import type { createRevocationSync } from './revocation/revocation-sync.ts'

/** The sources that limits and revocations are read from, which differ by runtime. */
export interface LimitSource {
  limitTokens: LimitTokens
  /**
   * Compares a token with later revocations; missing where `limitTokens` does so in the same call.
   *
   * @throws Problem with the rejection
   */
  throwIfRevoked: ((identity: Identity) => void) | undefined
  limiterHealth: () => Promise<HealthCheck>
  revocationHealth: () => HealthCheck
  /** Resolves when requests can be decided. */
  start: () => Promise<void>
}

interface LimitSourceOptions {
  config: Pick<GatewayConfig, 'GATEWAY_REPLICAS' | 'LIMIT_LEASE'>
  ports: Omit<GatewayPorts<never>, 'peerAddress'>
  revocations: Revocations
  revocationSync: ReturnType<typeof createRevocationSync>
}

/**
 * A runtime that keeps memory between requests batches its limits and follows revocations. One with
 * a `store` port asks the store in each request, and follows nothing.
 */
export function createLimitSource(options: LimitSourceOptions): LimitSource {
  const { store } = options.ports
  return store ? askedPerRequest(options, store) : keptInMemory(options)
}

function keptInMemory({ config, ports, revocations, revocationSync }: LimitSourceOptions): LimitSource {
  return {
    limitTokens: createBatchedLimits({
      rateLimitStore: ports.rateLimitStore,
      now: ports.now,
      defer: ports.defer ?? queueMicrotask,
      largestLease: config.LIMIT_LEASE,
      replicas: config.GATEWAY_REPLICAS,
    }),
    throwIfRevoked: revocations.throwIfRevoked,
    limiterHealth: ports.limiterHealth ?? (async () => ({ status: 'pass' })),
    revocationHealth: revocationSync.health,
    start: revocationSync.start,
  }
}

function askedPerRequest(
  { config, ports, revocations, revocationSync }: LimitSourceOptions,
  store: NonNullable<GatewayPorts<never>['store']>,
): LimitSource {
  const limits = createPerRequestLimits({
    store,
    local: ports.rateLimitStore,
    replicas: config.GATEWAY_REPLICAS,
    async throwIfRevokedByFeed(bearer) {
      await revocationSync.refreshIfStale()
      revocations.throwIfRevoked(bearer)
    },
    waitUntil: ports.waitUntil ?? (() => {}),
    now: ports.now,
    log: ports.log,
  })
  return {
    limitTokens: limits,
    throwIfRevoked: undefined,
    limiterHealth: limits.limiterHealth,
    revocationHealth: limits.health,
    start: async () => {},
  }
}
