import type { Identity } from '../../shared/auth/claims.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { HealthCheck } from '../../shared/http/health.ts'
import type { Log } from '../../shared/lib/log.ts'
import { createBreaker } from '../lib/circuit-breaker.ts'
import type { Counter, Now, Outlive, Store, StoreAnswer, Take, Taken } from '../ports.ts'
import { giveBackMs, type Permit, type Permits, takeOf, type Wanted } from './batched-limits.ts'
import { countingHealth, ofShared, probeTake, shareOf } from './fallback-store.ts'

interface AskedPermitsOptions {
  store: Store
  /** This gateway's own counter. */
  local: Counter
  /** Gateways that share the traffic. */
  replicas: number
  /** Holds a token against what the origin's feed says. @throws Problem with the refusal */
  refuseByFeed: (bearer: Identity) => Promise<void>
  outlive: Outlive
  now: Now
  log: Log
}

/**
 * The most that asking may add to a request: it opens a connection first, over TLS and to another
 * place.
 */
const timeoutMs = 500

/**
 * The permits of a runtime that keeps nothing between requests: each request asks the store for its
 * own, and the same answer says whether its token was revoked. No permit is taken for a revoked
 * token.
 *
 * Without the store, or where its revocations may be incomplete, the gateway reads the origin's
 * feed. Without the store the gateway counts limits alone, at its share of the quota.
 */
export function createAskedPermits(options: AskedPermitsOptions) {
  const { store, local, replicas, refuseByFeed, outlive, now, log } = options
  let isVouched = true

  const breaker = createBreaker({
    timeoutMs,
    probe: () => store.ask(undefined, [probeTake]),
    now,
    onOpen: (error) => log.warn({ err: error }, 'the store is not asked: limits count locally'),
    onClose: () => log.info({}, 'the store is asked again'),
  })

  function noteVouched(vouched: boolean): void {
    if (isVouched && !vouched)
      log.warn({}, 'nobody vouches for the revocations in the store: the feed is read')
    isVouched = vouched
  }

  const ask = (bearer: Identity | undefined, takes: readonly Take[]) =>
    breaker.ask<StoreAnswer>(() => store.ask(bearer, takes.map(ofShared)))

  async function take(takes: readonly Take[], bearer: Identity | undefined): Promise<Taken[]> {
    const answer = await ask(bearer, takes)
    if (bearer && answer) noteVouched(answer.kind !== 'unvouched')
    switch (answer?.kind) {
      case 'taken':
        return answer.taken
      case 'revoked':
        throw new Problem(answer.scope === 'session' ? 'session_ended' : 'claims_stale')
      case 'unvouched':
      case undefined:
        return takeByFeed(takes, bearer)
    }
  }

  async function takeByFeed(takes: readonly Take[], bearer: Identity | undefined): Promise<Taken[]> {
    if (bearer) await refuseByFeed(bearer)
    const answer = await ask(undefined, takes)
    if (answer?.kind === 'taken') return answer.taken
    return local.take(takes.map((take) => shareOf(take, replicas)))
  }

  return {
    async takeAll(wanted: readonly Wanted[], bearer: Identity | undefined): Promise<Permit[]> {
      const taken = await take(
        wanted.map((one) => takeOf(one, 1)),
        bearer,
      )
      return taken.map(({ granted, used, quota, resetMs, shared }) => ({
        granted: granted > 0,
        used,
        quota,
        resetAt: now() + resetMs,
        shared,
        leased: false,
      }))
    },

    giveBack(wanted: Wanted, { resetAt, shared }: Permit): void {
      if (resetAt - now() < giveBackMs) return
      outlive(take([takeOf(wanted, -1, shared)], undefined))
    },

    /** How limits are counted. */
    limiterHealth: () => countingHealth(breaker),

    /** The latest source of revocations. */
    health(): HealthCheck {
      if (breaker.isOpen() || !isVouched) return { status: 'warn', detail: 'feed' }
      return { status: 'pass', detail: 'store' }
    },
  } satisfies Permits & { health: () => HealthCheck; limiterHealth: () => Promise<HealthCheck> }
}
