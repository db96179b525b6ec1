import type { Identity } from '../../shared/auth/claims.ts'
import type { Revocation } from '../../shared/auth/revocation.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { Now } from '../ports.ts'

export type Verdict = 'good' | 'session_ended' | 'claims_stale'

interface Entry {
  /**
   * Tokens made from a lower epoch are stale; infinite for a session, which has no good tokens any
   * more.
   */
  epoch: number
  /** Milliseconds since 1970. */
  until: number
}

type Scope = Revocation['scope']
type Generation = { untilMs: number } & Record<Scope, Map<string, Entry>>

const createGeneration = (): Generation => ({
  untilMs: Number.NEGATIVE_INFINITY,
  session: new Map(),
  user: new Map(),
  role: new Map(),
  plan: new Map(),
})

/**
 * The revocations that are in force, in memory, so that judging a token asks nobody and does not
 * wait.
 *
 * Two generations: entries come into the new one, and when the last of the old one has run out, it
 * is dropped whole. So an entry is held for at most twice its life, without a timer for each and
 * without a sweep.
 */
export function createRevocations({ now }: { now: Now }) {
  let young = createGeneration()
  let old = createGeneration()
  let loaded = false

  /** Most often nothing is revoked, and no subject has to be looked for. */
  const findIn = (entries: Map<string, Entry>, subject: string) =>
    entries.size === 0 ? undefined : entries.get(subject)

  const find = (scope: Scope, subject: string) => findIn(young[scope], subject) ?? findIn(old[scope], subject)

  /** @returns whether it says more than what was known */
  function add({ scope, subject, until, epoch: raised }: Revocation): boolean {
    const epoch = raised ?? Number.POSITIVE_INFINITY
    if (until <= now()) return false
    const known = find(scope, subject)
    if (known && known.epoch >= epoch && known.until >= until) return false
    // They may come in any order and more than once: a lower epoch never takes the place of a
    // higher one.
    const entry = { epoch: Math.max(epoch, known?.epoch ?? 0), until: Math.max(until, known?.until ?? 0) }
    young[scope].set(subject, entry)
    young.untilMs = Math.max(young.untilMs, entry.until)
    return true
  }

  /**
   * The epochs are read only where there is an entry: of a user who comes rarely they are far from
   * the processor.
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
    /** @returns those that say more than what was known */
    apply(entries: readonly Revocation[]): Revocation[] {
      if (old.untilMs <= now()) {
        old = young
        young = createGeneration()
      }
      return entries.filter(add)
    },

    /** Called when all that is in force has been applied once. */
    markLoaded() {
      loaded = true
    },

    /**
     * Before, nobody knows which tokens are good: an ended session must not come back because a
     * gateway starts.
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

    /** Entries held, those that have run out among them. */
    get size() {
      return [young, old].reduce(
        (sum, { session, user, role, plan }) => sum + session.size + user.size + role.size + plan.size,
        0,
      )
    },
  }
}

export type Revocations = ReturnType<typeof createRevocations>
