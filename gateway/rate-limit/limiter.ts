import type { Identity } from '../../shared/auth/claims.ts'
import { Problem } from '../../shared/http/errors.ts'
import { andThen, type Eventually } from '../../shared/lib/async.ts'
import { createBoundedMap } from '../../shared/lib/bounded-map.ts'
import type { Now, Take } from '../ports.ts'
import { keyOf, type Permit, type Permits, type Wanted } from './batched-limits.ts'

/**
 * The classes of limit: what each counts, and what holds while the shared counter is away. Each is a count of its own, so that
 * one kind of request never uses up what another kind has left.
 */
export const limits = {
  /** Requests of one address that nobody has signed in for, and tokens that were refused. */
  address: { counts: 'requests', outage: 'share' },
  /** Requests of one address that have a mail sent: registrations, forgotten passwords, verification links. */
  mail: { counts: 'requests', outage: 'share' },
  /** Requests of one user, by the quota of the plan. */
  user: { counts: 'requests', outage: 'share' },
  /** Requests of one user that manage sessions, the account or other accounts, whatever the plan. */
  account: { counts: 'requests', outage: 'share' },
  /** Passwords that were wrong. */
  credentials: { counts: 'failures', outage: 'strict' },
  /** Mailed links that were wrong. */
  links: { counts: 'failures', outage: 'strict' },
  /** Client secrets that were wrong, and what OAuth clients brought. */
  clients: { counts: 'failures', outage: 'strict' },
  /** Refresh tokens that were wrong. */
  refresh: { counts: 'failures', outage: 'strict' },
} as const satisfies Record<string, { counts: 'requests' | 'failures'; outage: Take['outage'] }>

export type LimitClass = keyof typeof limits
export const limitClasses = Object.keys(limits) as [LimitClass, ...LimitClass[]]

/** One limit that applies to one request: `quota` requests in `windowSeconds` for one caller. */
export interface Limit extends Wanted {
  name: LimitClass
  /** Whether a request that succeeds gives back what it took, so that failures alone count. */
  failuresOnly: boolean
}

export const createLimit = (limit: Omit<Limit, 'outage'>): Limit => ({
  ...limit,
  outage: limits[limit.name].outage,
})

/** For a person who reads the refusal. */
const inWords = ({ name, quota, windowSeconds, failuresOnly }: Limit) =>
  `${quota} ${failuresOnly ? 'failed attempts' : 'requests'} in ${windowSeconds} s (${name})`

/** The refusal of a request that is over its limits, for the log of them. */
export class RateLimited extends Problem {
  readonly over: readonly Limit[]

  constructor(over: readonly Limit[], headers: Record<string, string>) {
    const detail = `Over the limit of ${over.map(inWords).join(' and of ')}`
    super('rate_limited', {
      members: { detail, 'violated-policies': over.map(({ name }) => name) },
      headers,
    })
    this.over = over
  }
}

/**
 * How a limit was decided: at the counter that all gateways share, by a permit in hand, at this gateway's own counter; or known to be over, so that
 * nobody was asked.
 */
export const limitModes = ['shared', 'leased', 'local', 'remembered'] as const
export type LimitMode = (typeof limitModes)[number]

/** A request that is within its limits. */
export interface Counted {
  /** The RateLimit fields of the answer, names and values in turn. */
  fields: string[]
  /** Gives back what it took of those limits that count failures alone, where there are any. */
  giveBack: (() => void) | undefined
}

interface LimiterOptions {
  permits: Permits
  now: Now
  /** Told of each limit that was held against a request. */
  onDecision?: ((name: LimitClass, mode: LimitMode, isAllowed: boolean) => void) | undefined
}

/** Keys known to be over their limit, remembered per generation. */
const refusedKeys = 10_000

/** Where permits may come back, a refusal holds for this long: what was refused in a crowd may pass when the crowd has succeeded. */
const failuresOnlyRefusedMs = 1000

/** Counts requests against their limits and words the answer's fields (draft-ietf-httpapi-ratelimit-headers). */
export function createLimiter({ permits, now, onDecision = () => {} }: LimiterOptions) {
  /** Keys over their limit: until when and when the window ends, in milliseconds since 1970, and at which quota. */
  const refused = createBoundedMap<string, { untilMs: number; resetAt: number; quota: number }>(refusedKeys)

  /** @throws RateLimited where a key is known to be over its limit; asks no store */
  function refuseKnown(limit: Limit): void {
    if (refused.size === 0) return
    const key = keyOf(limit)
    const known = refused.get(key)
    if (!known) return
    // What has run out, or a higher quota than the one that was used up: the plan has changed since.
    if (known.untilMs <= now() || known.quota < limit.quota) {
      refused.delete(key)
      return
    }
    const resetMs = known.resetAt - now()
    onDecision(limit.name, 'remembered', false)
    throw tooMany([limit], [{ limit, quota: limit.quota, remaining: 0, resetMs }])
  }

  function judge(limits: readonly Limit[], given: readonly Permit[]): Counted {
    const states = limits.map((limit, index): LimitState => {
      const { quota, used, resetAt, granted, shared, leased } = given[index] as Permit
      onDecision(limit.name, leased ? 'leased' : shared ? 'shared' : 'local', granted)
      return { limit, quota, remaining: Math.max(0, quota - used), resetMs: resetAt - now() }
    })
    const giveBack = () => giveBackFailuresOnly(limits, given)
    if (given.every(({ granted }) => granted))
      return {
        fields: fields(states),
        giveBack: limits.some(({ failuresOnly }) => failuresOnly) ? giveBack : undefined,
      }
    giveBack()
    const over = limits.filter((_, index) => !given[index]?.granted)
    for (const [index, limit] of limits.entries()) {
      const { granted, shared, resetAt } = given[index] as Permit
      // What a gateway counts alone holds only until the shared counter is back, so it is not remembered.
      if (!granted && shared) remember(limit, resetAt)
    }
    throw tooMany(over, states)
  }

  function giveBackFailuresOnly(limits: readonly Limit[], given: readonly Permit[]): void {
    for (const [index, limit] of limits.entries()) {
      const permit = given[index] as Permit
      if (!limit.failuresOnly || !permit.granted) continue
      permits.giveBack(limit, permit)
      refused.delete(keyOf(limit))
    }
  }

  function remember(limit: Limit, resetAt: number): void {
    const untilMs = limit.failuresOnly ? Math.min(now() + failuresOnlyRefusedMs, resetAt) : resetAt
    refused.set(keyOf(limit), { untilMs, resetAt, quota: limit.quota })
  }

  return {
    /**
     * Counts one request against all its limits at once.
     *
     * @param bearer whose request it is, where somebody is signed in
     * @throws RateLimited naming the limits that are over, and what `permits` does
     */
    count(limits: readonly Limit[], bearer?: Identity): Eventually<Counted> {
      for (const limit of limits) refuseKnown(limit)
      return andThen(permits.takeAll(limits, bearer), (given) => judge(limits, given))
    },
  }
}

export type Limiter = ReturnType<typeof createLimiter>

interface LimitState {
  limit: Limit
  quota: number
  remaining: number
  resetMs: number
}

const inSeconds = (milliseconds: number) => Math.max(1, Math.ceil(milliseconds / 1000))

/** RateLimit-Policy and RateLimit, in which every policy has its limit. */
function worded(states: readonly LimitState[]) {
  let policies = ''
  let left = ''
  for (const { limit, quota, remaining, resetMs } of states) {
    const separator = policies === '' ? '' : ', '
    policies += `${separator}"${limit.name}";q=${quota};w=${limit.windowSeconds}`
    left += `${separator}"${limit.name}";r=${remaining};t=${inSeconds(resetMs)}`
  }
  return { policies, left }
}

function fields(states: readonly LimitState[]): string[] {
  const { policies, left } = worded(states)
  return ['ratelimit-policy', policies, 'ratelimit', left]
}

function tooMany(over: readonly Limit[], states: readonly LimitState[]): RateLimited {
  const { policies, left } = worded(states)
  const resetMs = Math.max(
    ...states.filter(({ limit }) => over.includes(limit)).map((state) => state.resetMs),
  )
  return new RateLimited(over, {
    'ratelimit-policy': policies,
    ratelimit: left,
    'retry-after': String(inSeconds(resetMs)),
  })
}
