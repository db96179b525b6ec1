import { clockLeewaySeconds } from '../../shared/auth/claims.ts'

/**
 * A signing key's life: published (it verifies, and does not sign yet), signing, retiring (it
 * verifies what it signed), gone. Gone is no state but the row's absence: a private key that nobody
 * needs any more is only something to leak. The audit trail remembers it.
 */
export type KeyState = 'published' | 'signing' | 'retiring'

export interface KeyAge {
  kid: string
  state: KeyState
  /** By the database's clock. */
  stateSince: Date
}

/**
 * How often a replica reads the keys and looks for a step to make: seldom enough to cost nothing,
 * far below any wait.
 */
export const keyUpkeepSeconds = 30

/**
 * How long a replica may go on with keys it read before: three looks in a row may fail, and the
 * fourth finds the change.
 */
export const ringLagSeconds = 4 * keyUpkeepSeconds

/** How long a key stays in each state before its next step, in seconds. */
export type KeyWaits = Record<KeyState, number>

interface KeyWaitsConfig {
  JWKS_CACHE_SECONDS: number
  ACCESS_TOKEN_SECONDS: number
  SERVICE_TOKEN_SECONDS: number
  SIGNING_KEY_DAYS: number
}

/**
 * Why no token meets a gateway without its key:
 *
 * A new key is in every replica's JWKS `ringLagSeconds` after it was published, and in every
 * gateway one cache time later. It signs another cache time after that, which is for a read that
 * failed.
 *
 * The last token of an old key is signed by the replica that hears of the change last,
 * `ringLagSeconds` after it, and is accepted for a token's life and the leeway from then on. A
 * gateway drops a key no sooner than the row has gone.
 *
 * The race we accept: a replica that cannot read the keys for longer than `ringLagSeconds`, and yet
 * can write a login, signs with a key that may be gone. It logs an error at every look;
 * KEY_ENCRYPTION_KEY changed under a running replica is the one known way there.
 */
export function keyWaits(config: KeyWaitsConfig): KeyWaits {
  const caches = 2 * config.JWKS_CACHE_SECONDS
  const longestToken = Math.max(config.ACCESS_TOKEN_SECONDS, config.SERVICE_TOKEN_SECONDS)
  return {
    published: caches + ringLagSeconds,
    signing: config.SIGNING_KEY_DAYS * 86_400,
    retiring: Math.max(caches, longestToken + clockLeewaySeconds) + ringLagSeconds,
  }
}

/** From when the key has waited long enough for its next step. */
export function dueAt({ state, stateSince }: KeyAge, waits: KeyWaits): Date {
  return new Date(stateSince.getTime() + waits[state] * 1000)
}

export type KeyStep =
  /** Nothing is due, or there is no signing key: the first one is never made by itself. */
  | { kind: 'wait' }
  /** The signing key is old: its successor is published. */
  | { kind: 'publish' }
  /** The published key signs; the one that did begins to retire at the same moment. */
  | { kind: 'sign'; kid: string }
  /** The retiring key has no live token left. */
  | { kind: 'remove'; kid: string }

/** @param now by the database's clock */
export function nextStep(keys: readonly KeyAge[], now: Date, waits: KeyWaits): KeyStep {
  const isDue = (key: KeyAge) => dueAt(key, waits) <= now
  const signing = keys.find(({ state }) => state === 'signing')
  if (!signing) return { kind: 'wait' }

  const retired = keys.find((key) => key.state === 'retiring' && isDue(key))
  if (retired) return { kind: 'remove', kid: retired.kid }

  const published = keys.find(({ state }) => state === 'published')
  if (published) return isDue(published) ? { kind: 'sign', kid: published.kid } : { kind: 'wait' }
  return isDue(signing) ? { kind: 'publish' } : { kind: 'wait' }
}
