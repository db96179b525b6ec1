import { assertionLifeSeconds } from '../../shared/auth/assertion.ts'
import { assertionKeySeconds } from '../../shared/auth/assertion-keys.ts'
import { clockLeewaySeconds } from '../../shared/auth/claims.ts'

/**
 * The states of a signing key: published (it verifies but does not sign yet), signing, retiring (it
 * verifies its last tokens). The row of a retired key is deleted, because an unused private key can
 * only leak; the audit log keeps its history.
 */
export type KeyState = 'published' | 'signing' | 'retiring'

export interface KeyAge {
  kid: string
  state: KeyState
  /** By the database's clock. */
  stateSince: Date
}

/**
 * How often a replica reads the keys and checks for a due step; far below any wait.
 */
export const keyUpkeepSeconds = 30

/**
 * How long a replica may use keys that it has read: three reads in a row may fail, and the fourth
 * finds the change.
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
 * A gateway always knows the key of a token:
 *
 * A new key is in every replica's JWKS within `ringLagSeconds` of its publication, and in every
 * gateway one cache time later. It signs after one more cache time, which allows for a failed read.
 *
 * The last token of an old key is signed within `ringLagSeconds` of the change, by the replica that
 * reads it last, and is valid for a token's life and the leeway. A gateway drops a key only after
 * its row is deleted.
 *
 * The race we accept: a replica that fails to read the keys for longer than `ringLagSeconds` but
 * can write a login may sign with a deleted key. Each failed read is logged as an error. The one
 * known cause is a change of KEY_ENCRYPTION_KEY under a running replica.
 */
export function keyWaits(config: KeyWaitsConfig): KeyWaits {
  const caches = 2 * config.JWKS_CACHE_SECONDS
  const maxTokenSeconds = Math.max(config.ACCESS_TOKEN_SECONDS, config.SERVICE_TOKEN_SECONDS)
  return {
    published: caches + ringLagSeconds,
    signing: config.SIGNING_KEY_DAYS * 86_400,
    retiring: Math.max(caches, maxTokenSeconds + clockLeewaySeconds) + ringLagSeconds,
  }
}

/**
 * Longest time for which a service that verifies assertions may keep the document of their keys.
 * Common libraries keep it for five or ten minutes.
 */
export const verifierCacheSeconds = 600

/**
 * The waits of assertion keys. A new key is known to every service that reads the document before a
 * gateway signs with it. A gateway that cannot ask the origin signs with an old key for
 * `assertionKeySeconds`, and then with its own.
 */
export function assertionKeyWaits({ SIGNING_KEY_DAYS }: Pick<KeyWaitsConfig, 'SIGNING_KEY_DAYS'>): KeyWaits {
  return {
    published: 2 * verifierCacheSeconds + ringLagSeconds,
    signing: SIGNING_KEY_DAYS * 86_400,
    retiring: assertionKeySeconds + assertionLifeSeconds + clockLeewaySeconds + ringLagSeconds,
  }
}

/** Which keys an audit row is about, where they do not sign tokens. */
export const auditOf = (table: 'signing_keys' | 'assertion_keys') =>
  table === 'assertion_keys' ? { of: 'assertions' } : {}

/** The time of the key's next step. */
export function dueAt({ state, stateSince }: KeyAge, waits: KeyWaits): Date {
  return new Date(stateSince.getTime() + waits[state] * 1000)
}

export type KeyStep =
  /** No step is due, or no key signs: upkeep never creates the first key. */
  | { kind: 'wait' }
  /** The signing key is old: publish its successor. */
  | { kind: 'publish' }
  /** The published key signs from now on, and its predecessor retires. */
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
