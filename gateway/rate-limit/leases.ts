import { createBoundedMap } from '../../shared/lib/bounded-map.ts'
import { hash30 } from '../../shared/lib/hash30.ts'
import type { EpochMs } from '../../shared/lib/time.ts'
import type { Now } from '../ports.ts'
import { isSameLimit, type KeyedLimit } from './keyed-limit.ts'

/** Prefetched tokens of one key. */
export interface Lease {
  readonly limit: KeyedLimit
  tokens: number
  /** Tokens to prefetch with the next call. */
  size: number
  /**
   * Whether a call that refills it is pending: one at a time, so that a slow store does not
   * overfill it.
   */
  isRefilling: boolean
  used: number
  resetAt: EpochMs
}

/** The map holds up to twice this (see bounded-map.ts). */
const maxLeases = 50_000

/**
 * Steps to find a lease among others of the same hash. A key that finds no place is counted without
 * a lease, so an attacker who picks addresses of one hash gains nothing else.
 */
const maxSteps = 8

/**
 * Direct-mapped table of recent users and addresses. A slot packs 14 bits of the hash and the low
 * 18 bits of the second of the last request. A collision overwrites it: whoever was there starts
 * again.
 */
const seenSlots = 2 ** 16
const secondBits = 18
const secondMask = 2 ** secondBits - 1

interface LeasesOptions {
  /** The most tokens of a key to prefetch; 0 for no leases. */
  maxLeaseTokens: number
  /** Gateways that share the traffic. */
  replicas: number
  now: Now
}

/**
 * Holds prefetched tokens of busy keys. A lease begins with two requests of its user in a second
 * or two: for rarer ones it would cost more than it saves.
 */
export function createLeases({ maxLeaseTokens, replicas, now }: LeasesOptions) {
  /** By hash, with linear probing. */
  const leases = createBoundedMap<number, Lease>(maxLeases)
  const seen = new Uint32Array(maxLeaseTokens > 0 ? seenSlots : 0)

  function isSeenAgain(hash: number): boolean {
    const slot = hash % seenSlots
    const tag = Math.floor(hash / seenSlots)
    const second = Math.floor(now() / 1000) & secondMask
    const before = seen[slot] ?? 0
    seen[slot] = (tag << secondBits) | second
    return before >>> secondBits === tag && ((second - before) & secondMask) <= 1
  }

  /** The tokens that one gateway may hold of what is left. */
  const fairShare = (quota: number, used: number) => Math.max(0, Math.floor((quota - used) / (2 * replicas)))

  function begin(limit: KeyedLimit, used: number, resetAt: EpochMs): Lease | undefined {
    const hash = hash30(limit.countedFor)
    if (!isSeenAgain(hash)) return undefined
    for (let id = hash; id < hash + maxSteps; id++) {
      const other = leases.get(id)
      if (other && other.resetAt > now()) {
        if (isSameLimit(other.limit, limit)) return other
        continue
      }
      const size = Math.min(maxLeaseTokens, fairShare(limit.quota, used), 1)
      const lease = { limit: copyOf(limit), tokens: 0, size, isRefilling: false, used, resetAt }
      leases.set(id, lease)
      return lease
    }
    return undefined
  }

  return {
    /** Whether a limit may have a lease at all. */
    mayLease: ({ outage }: KeyedLimit): boolean => maxLeaseTokens > 0 && outage === 'share',

    find(limit: KeyedLimit): Lease | undefined {
      const hash = hash30(limit.countedFor)
      for (let id = hash; id < hash + maxSteps; id++) {
        const lease = leases.get(id)
        if (!lease) return undefined
        // With the quota: after a change of plan the lease of the old one is not used.
        if (lease.resetAt > now() && isSameLimit(lease.limit, limit)) return lease
      }
      return undefined
    },

    /** How many tokens to prefetch: no more than the lease has room for. */
    tokensToPrefetch(lease: Lease): number {
      return lease.isRefilling ? 0 : Math.max(0, Math.min(lease.size, maxLeaseTokens - lease.tokens))
    },

    /**
     * Notes what the store said of a key.
     *
     * @param known the lease of this limit, where there is one
     * @returns the lease for the tokens that the store granted beyond those requested
     */
    renew(known: Lease | undefined, limit: KeyedLimit, used: number, resetAt: EpochMs): Lease | undefined {
      if (!known) return begin(limit, used, resetAt)
      // Tokens end with their window.
      if (known.resetAt <= now()) known.tokens = 0
      known.size = Math.min(maxLeaseTokens, fairShare(limit.quota, used), Math.max(1, known.size * 2))
      known.used = used
      known.resetAt = resetAt
      return known
    },
  }
}

/** With a flat string: V8 would keep the whole head that an address was cut from. */
const copyOf = (limit: KeyedLimit): KeyedLimit => ({
  ...limit,
  countedFor: [limit.countedFor.slice(0, 1), limit.countedFor.slice(1)].join(''),
})
