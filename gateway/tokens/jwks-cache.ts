import * as z from 'zod'
import { type ImportVerifier, publicJwkSchema, type VerifySignature } from '../../shared/auth/jwk.ts'
import type { Awaitable } from '../../shared/lib/async.ts'
import type { Log } from '../../shared/lib/log.ts'
import { createSingleFlight } from '../lib/single-flight.ts'
import type { Now, WaitUntil } from '../ports.ts'

interface KeySetOptions {
  /** Gets the JWKS document. */
  fetchKeys: () => Promise<unknown>
  /** Signature verification of this runtime. */
  importVerifier: ImportVerifier
  waitUntil?: WaitUntil | undefined
  now: Now
  log: Log
  /** Age from which the set is read again before use, while the origin is reachable. */
  freshSeconds?: number
  /** Age up to which the last known set is used while the origin is unreachable. */
  staleSeconds?: number
  /**
   * Pause between two reads, so that made-up key ids and an unreachable origin cost a bounded
   * number of them. The keys are also read again this long before they are too old; by default at
   * most a quarter of that age, so that they are used before.
   */
  cooldownSeconds?: number
}

export class KeysUnavailableError extends Error {
  constructor(cause?: unknown) {
    super('no usable key set', { cause })
    this.name = 'KeysUnavailableError'
  }
}

const jwksSchema = z.object({ keys: z.array(z.unknown()) })

/**
 * The origin's public keys, cached: one fetch in flight, a cooldown between fetches, and the last
 * good set while they fail.
 */
export function createKeySet(options: KeySetOptions) {
  const {
    fetchKeys,
    importVerifier,
    now,
    log,
    freshSeconds = 300,
    staleSeconds = 86_400,
    cooldownSeconds = Math.min(10, freshSeconds / 4),
  } = options
  let keys: Map<string, VerifySignature> | undefined
  let readAt = Number.NEGATIVE_INFINITY
  let triedAt = Number.NEGATIVE_INFINITY
  let failedAt = Number.NEGATIVE_INFINITY
  /** Whether the set was usable when the pending read began. */
  let mightBeUsed = false

  /** Infinite if the set was never read, or if the clock was set back. */
  function secondsSince(at: number): number {
    const seconds = (now() - at) / 1000
    return seconds < 0 ? Number.POSITIVE_INFINITY : seconds
  }

  const ageSeconds = () => secondsSince(readAt)

  const isUsable = () => keys !== undefined && ageSeconds() < staleSeconds

  const isDue = () => ageSeconds() >= freshSeconds - cooldownSeconds

  async function read(): Promise<void> {
    mightBeUsed = mayUse()
    const askedAt = now()
    triedAt = askedAt
    try {
      const document = jwksSchema.parse(await fetchKeys())
      const next = new Map<string, VerifySignature>()
      for (const candidate of document.keys) {
        // Unusable keys are ignored (RFC 7517, section 5).
        const jwk = publicJwkSchema.safeParse(candidate)
        const usable = jwk.success && (await importVerifier(jwk.data).catch(() => undefined))
        if (usable) next.set(jwk.data.kid, usable)
      }
      if (next.size === 0) throw new Error('the key set holds no usable key')
      keys = next
      readAt = askedAt
    } catch (error) {
      failedAt = now()
      log.warn(
        { err: error, age_seconds: Number.isFinite(readAt) ? Math.round(ageSeconds()) : null },
        'key set not read',
      )
    }
  }

  const reading = createSingleFlight(read, options.waitUntil)

  /**
   * An old set is used only after a failed read. A failure counts for two pauses, so that a request
   * in the second one starts another read.
   */
  function mayUse(): boolean {
    if (ageSeconds() < freshSeconds) return true
    return reading.inFlight !== undefined ? mightBeUsed : secondsSince(failedAt) < 2 * cooldownSeconds
  }

  /** Never rejects; a failed read shows in the age of the set. */
  async function readOnce(): Promise<void> {
    if (secondsSince(triedAt) < cooldownSeconds && !reading.inFlight) return
    await reading.run()
  }

  async function readThenFind(kid: string): Promise<VerifySignature | undefined> {
    await readOnce()
    if (!isUsable()) throw new KeysUnavailableError()
    return keys?.get(kid)
  }

  return {
    /** Seconds since the set was read; infinite where it never was. */
    ageSeconds,

    /** Whether tokens can be verified at all. */
    isUsable,

    /** Reads the set where it is missing, or old or nearly so. */
    async refresh() {
      if (isDue()) await readOnce()
    },

    /**
     * @returns undefined for an unknown key id
     * @throws KeysUnavailableError where there is no set to look in
     */
    find(kid: string): Awaitable<VerifySignature | undefined> {
      const known = isUsable() ? keys?.get(kid) : undefined
      if (known === undefined || !mayUse()) return readThenFind(kid)
      if (isDue()) void readOnce()
      return known
    },
  }
}

export type KeySet = ReturnType<typeof createKeySet>
