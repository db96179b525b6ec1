import { check, type HealthCheck } from '../shared/http/health.ts'
import type { Now, WaitUntil } from './ports.ts'
import type { KeySet } from './tokens/jwks-cache.ts'

interface HealthOptions {
  keys: Pick<KeySet, 'isUsable' | 'refresh'>
  /** Calls the origin's readiness endpoint. */
  askOrigin: () => Promise<unknown>
  /** How the limits count at this moment. */
  limiterHealth: () => Promise<HealthCheck>
  /** Freshness of the revocations. */
  revocationHealth: () => HealthCheck
  isStopping: () => boolean
  waitUntil?: WaitUntil | undefined
  now: Now
}

/** The endpoint is public, so results are cached for this long. */
const reuseMs = 1000

/** Health of the gateway and its dependencies, without internals. */
export function createHealth(options: HealthOptions) {
  const { keys, askOrigin, limiterHealth, revocationHealth, isStopping, waitUntil = () => {}, now } = options
  let askedAt = Number.NEGATIVE_INFINITY
  let pending: Promise<Record<string, HealthCheck>> | undefined

  async function askParts(): Promise<Record<string, HealthCheck>> {
    await keys.refresh()
    const [origin, limiter] = await Promise.all([check(askOrigin), limiterHealth()])
    return {
      key_set: { status: keys.isUsable() ? 'pass' : 'fail' },
      // Without the origin its routes return 503 and all others work. Removing this instance would
      // not help, as no gateway reaches the origin.
      origin: { status: origin.status === 'fail' ? 'warn' : 'pass' } as const,
      limiter,
      revocations: revocationHealth(),
    }
  }

  return async function checkHealth(): Promise<Record<string, HealthCheck>> {
    if (!pending || now() - askedAt >= reuseMs) {
      askedAt = now()
      pending = askParts()
      waitUntil(pending)
    }
    return { instance: { status: isStopping() ? 'fail' : 'pass' }, ...(await pending) }
  }
}

export type CheckHealth = ReturnType<typeof createHealth>

/** The same with the health of all processes on one port, where there are several. */
export function withGroup(
  checkHealth: CheckHealth,
  groupHealth: (() => Promise<HealthCheck>) | undefined,
): CheckHealth {
  if (!groupHealth) return checkHealth
  return async function checkGroup() {
    const [checks, processes] = await Promise.all([checkHealth(), groupHealth()])
    return { ...checks, processes }
  }
}
