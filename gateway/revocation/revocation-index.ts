import type { Identity } from '../../shared/auth/claims.ts'
import type { Revocation } from '../../shared/auth/revocation.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { EpochMs } from '../../shared/lib/time.ts'
import type { Now } from '../ports.ts'

export type Verdict = 'good' | 'session_ended' | 'claims_stale'

interface Entry {
  /**
   * Tokens made from a lower epoch are stale; infinite for an ended session, which has no valid
   * tokens.
   */
  epoch: number
  until: EpochMs
}

type Scope = Revocation['scope']
type Generation = { until: EpochMs } & Record<Scope, Map<string, Entry>>

const createGeneration = (): Generation => ({
  until: Number.NEGATIVE_INFINITY,
  session: new Map(),
  user: new Map(),
  role: new Map(),
  plan: new Map(),
})

/**
 * In-memory index of the revocations in force. Evaluating a token needs no call and no wait.
 *
 * Two generations: entries are added to the current one, and the previous one is dropped when its
 * last entry has expired. An entry stays for at most twice its lifetime, without timers and sweeps.
 */
export function createRevocations({ now }: { now: Now }) {
  let current = createGeneration()
  let previous = createGeneration()
  let loaded = false

  /** Usually nothing is revoked, which saves the lookup. */
  const findIn = (entries: Map<string, Entry>, subject: string) =>
    entries.size === 0 ? undefined : entries.get(subject)

  const find = (scope: Scope, subject: string) =>
    findIn(current[scope], subject) ?? findIn(previous[scope], subject)

  /** @returns whether the entry changed the index */
  function add({ scope, subject, until, epoch: raised }: Revocation): boolean {
    const epoch = raised ?? Number.POSITIVE_INFINITY
    if (until <= now()) return false
    const known = find(scope, subject)
    if (known && known.epoch >= epoch && known.until >= until) return false
    // Entries may arrive in any order and repeatedly: a lower epoch never replaces a higher one.
    const entry = { epoch: Math.max(epoch, known?.epoch ?? 0), until: Math.max(until, known?.until ?? 0) }
    current[scope].set(subject, entry)
    current.until = Math.max(current.until, entry.until)
    return true
  }

  /**
   * Epochs are read only where there is an entry: those of rare users are not in the processor's
   * cache.
   */
  function isStale(scope: keyof Identity['epoch'], subject: string, epoch: Identity['epoch']): boolean {
    const entry = find(scope, subject)
    return entry !== undefined && epoch[scope] < entry.epoch && entry.until > now()
  }

  function isEnded(sid: string): boolean {
    const entry = find('session', sid)
    return entry !== undefined && entry.until > now()
  }

  function evaluate({ sid, sub, role, plan, epoch }: Identity): Verdict {
    if (isEnded(sid)) return 'session_ended'
    const isOutdated =
      isStale('user', sub, epoch) || isStale('role', role, epoch) || isStale('plan', plan, epoch)
    return isOutdated ? 'claims_stale' : 'good'
  }

  return {
    /** @returns the entries that changed the index */
    apply(entries: readonly Revocation[]): Revocation[] {
      if (previous.until <= now()) {
        previous = current
        current = createGeneration()
      }
      return entries.filter(add)
    },

    /** Called once the whole feed has been applied. */
    markLoaded() {
      loaded = true
    },

    /**
     * Until then no token can be trusted: a restart must not revive an ended session.
     */
    isLoaded: () => loaded,

    evaluate,

    /**
     * @throws Problem `session_ended`, `claims_stale`; `revocations_unavailable` before
     *   `markLoaded`
     */
    throwIfRevoked(identity: Identity): void {
      if (!loaded) throw new Problem('revocations_unavailable')
      const verdict = evaluate(identity)
      if (verdict !== 'good') throw new Problem(verdict)
    },

    /** Entries held, expired ones included. */
    get size() {
      return [current, previous].reduce(
        (sum, { session, user, role, plan }) => sum + session.size + user.size + role.size + plan.size,
        0,
      )
    },
  }
}

export type Revocations = ReturnType<typeof createRevocations>
