import { createHmac } from 'node:crypto'
import bcrypt from 'bcryptjs'
import { isForeignHash } from './foreign/foreign-hash.ts'
import type * as worker from './hash-worker.ts'
import type { WorkerPool } from './worker-pool.ts'

interface PasswordHasherOptions {
  pool: WorkerPool
  /** 32 bytes. */
  digestKey: Uint8Array
  /** bcrypt's log2 of rounds. */
  cost: number
  /** The cost that a foreign hash may take as long as. @default cost */
  importedCost?: number | undefined
}

export type PasswordHasher = Awaited<ReturnType<typeof createPasswordHasher>>

/** `hash` and `matches` throw Problem `overloaded` where the pool's queue is full. */
export async function createPasswordHasher({
  pool,
  digestKey,
  cost,
  importedCost = cost,
}: PasswordHasherOptions) {
  const run = pool.from<typeof worker>(new URL('./hash-worker.ts', import.meta.url))

  /**
   * bcrypt reads 72 bytes and stops at a zero byte. A keyed digest before it makes every byte of a
   * long password count, and a stolen table useless without the key. NFC makes a password
   * independent of the keyboard (SP 800-63B-4).
   */
  function digest(password: string): string {
    return createHmac('sha256', digestKey).update(password.normalize('NFC')).digest('base64')
  }

  /**
   * Compared with the password of an unknown account, so that the comparison takes as long as a
   * known account's.
   */
  const dummyHash = await bcrypt.hash(digest(crypto.randomUUID()), cost)

  return {
    /** @param address the client's address; null without a request */
    hash: (password: string, address: string | null = null) =>
      run('hash', { digest: digest(password), cost }, { address }),

    /**
     * A comparison that fails takes as long for every account: the time of the higher cost, twice
     * that for a password in another form than NFC.
     *
     * Other systems hashed the bytes that a browser sent, or NFC of them. Both are compared with a
     * foreign hash: what logged in there logs in here.
     *
     * @param storedHash null or undefined without one: takes the same time and returns false
     * @param turn `isPreferred` for an attempt that precedes those of unknown devices
     */
    async matches(
      password: string,
      storedHash: string | null | undefined,
      turn: { address?: string | null; isPreferred?: boolean } = {},
    ): Promise<boolean> {
      const texts = [...new Set([password, password.normalize('NFC')])]
      const failure = { cost: Math.max(cost, importedCost), times: texts.length }
      if (storedHash && isForeignHash(storedHash))
        return run('compareForeign', { texts, stored: storedHash, failure }, turn)
      const native = storedHash && isNative(storedHash) ? storedHash : undefined
      const task = { digest: digest(password), stored: native ?? dummyHash, failure }
      const isSame = await run('compare', task, turn)
      return isSame && native !== undefined
    },

    /** Whether a stored hash is another system's, or has a lower cost than configured. */
    isOutdated: (storedHash: string) => !isNative(storedHash) || bcrypt.getRounds(storedHash) < cost,
  }
}

const isNative = (storedHash: string) => storedHash.startsWith('$2')
