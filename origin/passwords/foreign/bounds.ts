import type { ForeignHash, Pbkdf2Digest } from './foreign-hash.ts'

/** MiB of one verification: each thread of the pool may need as much. */
export const mostMemoryMib = 128

const mib = 1024 * 1024

/**
 * Bounds of the work of a verification: the time of one bcrypt of this cost. They are numbers that
 * hold on every machine, so that a file that was accepted once is accepted again. Measured on a
 * core of 2.5 GHz, where the bcrypt takes 220 ms: PBKDF2 160 ms, scrypt 150 ms, argon2id 220 ms.
 */
const referenceCost = 12
const atReference = {
  /** Rounds of HMAC, for each block of the digest's length. */
  pbkdf2: { sha1: 1_500_000, sha256: 1_500_000, sha512: 600_000 } satisfies Record<Pbkdf2Digest, number>,
  /** N * r * p: 64 MiB. */
  scrypt: 2 ** 19,
  /** KiB of memory * passes: 64 MiB, three times. */
  argon2id: 200_000,
  /** Passes * lanes: a pass of several lanes starts four threads for each of them. */
  argon2Lanes: 1000,
}

const digestBytes: Record<Pbkdf2Digest, number> = { sha1: 20, sha256: 32, sha512: 64 }

/** A share of what a bcrypt of `referenceCost` does. */
function relativeWork(hash: ForeignHash): number {
  switch (hash.scheme) {
    case 'bcrypt':
      return 2 ** (hash.cost - referenceCost)
    case 'argon2id': {
      const { memoryKib, passes, lanes } = hash
      const threads = lanes > 1 ? (passes * lanes) / atReference.argon2Lanes : 0
      return (memoryKib * passes) / atReference.argon2id + threads
    }
    case 'scrypt':
      return (2 ** hash.logN * hash.r * hash.p) / atReference.scrypt
    case 'firebase-scrypt':
      return (2 ** hash.logN * hash.r) / atReference.scrypt
    case 'pbkdf2': {
      const blocks = Math.ceil(hash.hash.length / digestBytes[hash.digest])
      return (hash.iterations * blocks) / atReference.pbkdf2[hash.digest]
    }
  }
}

function memoryBytes(hash: ForeignHash): number {
  switch (hash.scheme) {
    case 'argon2id':
      return hash.memoryKib * 1024
    case 'scrypt':
      return 128 * hash.r * (2 ** hash.logN + hash.p)
    case 'firebase-scrypt':
      return 128 * hash.r * 2 ** hash.logN
    case 'bcrypt':
    case 'pbkdf2':
      return 0
  }
}

/** The highest cost that the configuration may allow. */
export const mostCost = 16

/**
 * The reason why a hash takes too long or too much memory to verify, or undefined. No row can
 * exhaust a worker, and a failed login takes as long for a foreign hash as for any other account.
 *
 * @param cost bcrypt's cost that a verification may take as long as
 */
export function whyTooCostly(hash: ForeignHash, cost: number): string | undefined {
  if (memoryBytes(hash) > mostMemoryMib * mib) return `needs more than ${mostMemoryMib} MiB of memory`
  const needed = Math.max(0, Math.ceil(referenceCost + Math.log2(relativeWork(hash))))
  if (needed <= cost) return undefined
  return needed > mostCost
    ? 'takes longer to verify than any setting allows'
    : `takes longer to verify than IMPORTED_HASH_COST=${cost} allows; it needs ${needed}, at the origins too`
}
