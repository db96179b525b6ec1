import type { HealthCheck } from '../../shared/http/health.ts'
import type { Log } from '../../shared/lib/log.ts'
import { type Breaker, createBreaker } from '../lib/circuit-breaker.ts'
import type { Counter, Now, Take, Taken } from '../ports.ts'

/** The most that counting may add to a request. */
const timeoutMs = 50

interface FallbackOptions {
  /** The counter that all gateways share. */
  shared: Counter
  /** This gateway's own. */
  local: Counter
  /**
   * Gateways that share the traffic: each allows its part of a quota while the shared counter is
   * away.
   */
  replicas: number
  now: Now
  log: Log
}

/**
 * A permit that always is one more write in its window. A store that is full, or a replica, reads
 * windows and refuses to write them, so that a call for a key over its quota would pass for a
 * success.
 */
export const probeTake: Take = {
  key: 'probe',
  windowSeconds: 1,
  quota: Number.MAX_SAFE_INTEGER,
  permits: 1,
  outage: 'share',
}

/** How limits are counted at this moment, for readiness: in words fit for the public. */
export async function countingHealth({ check, isOpen, cause: causeOf }: Breaker): Promise<HealthCheck> {
  const startedAt = performance.now()
  await check()
  const timeMs = Math.round(performance.now() - startedAt)
  if (!isOpen()) return { status: 'pass', time_ms: timeMs, detail: 'redis' }
  const cause = causeOf()
  // Of a refusal the first word is its code: OOM, READONLY, NOPERM, MISCONF.
  const code = cause instanceof Error && cause.name === 'ReplyError' && /^[A-Z]+\b/.exec(cause.message)?.[0]
  const reason = code ? `redis refuses with ${code}` : 'redis does not answer'
  // Limits still hold without Redis, if less exactly: a warning, not a reason to send requests
  // elsewhere.
  return { status: 'warn', time_ms: timeMs, detail: `local, ${reason}` }
}

/**
 * The shared counter with the local one behind it: an outage of Redis never stops a request and
 * never lifts a limit.
 *
 * The race we accept: a window does not move between the counters, so an outage allows each key one
 * more quota.
 */
export function createFallbackCounter({ shared, local, replicas, now, log }: FallbackOptions) {
  const breaker = createBreaker({
    timeoutMs,
    probe: () => shared.take([probeTake]),
    now,
    onOpen: (error) => log.warn({ err: error }, 'limits count locally'),
    onClose: () => log.info({}, 'limits count in Redis again'),
  })

  return {
    async take(takes: readonly Take[]): Promise<Taken[]> {
      const asked = takes.some(({ shared }) => shared === false) ? takes.map(ofShared) : takes
      const taken = await breaker.ask(() => shared.take(asked))
      return taken ?? local.take(takes.map((take) => shareOf(take, replicas)))
    },

    /** Whether limits are counted here alone at this moment. */
    isLocal: breaker.isOpen,

    health: () => countingHealth(breaker),
  } satisfies Counter & { isLocal: () => boolean; health: () => Promise<HealthCheck> }
}

/**
 * How many permits a window gives of which so many are used; negative where some are given back.
 */
export const grantedOf = ({ permits, quota }: Take, used: number): number =>
  permits < 0 ? Math.max(permits, -used) : Math.min(permits, Math.max(0, quota - used))

/**
 * A permit is given back to the counter that gave it or to none: the other would have one more to
 * give than its limit.
 */
const nothingOf = (take: Take): Take => ({ ...take, permits: 0 })

/** The take as the shared counter gets it. */
export const ofShared = (take: Take): Take => (take.shared === false ? nothingOf(take) : take)

/**
 * The take as this gateway's own counter gets it. An outage must not make guesses at a password
 * cheaper: a strict limit gets half of its part, and never less than one attempt.
 */
export function shareOf(take: Take, replicas: number): Take {
  if (take.shared) return nothingOf(take)
  const parts = take.outage === 'strict' ? 2 * replicas : replicas
  return { ...take, quota: Math.max(1, Math.ceil(take.quota / parts)) }
}
