import { Problem } from '../../shared/http/errors.ts'
import type { PasswordHasher } from './hasher.ts'
import { findOwnName } from './rules.ts'
import type * as worker from './strength-worker.ts'
import type { WorkerPool } from './worker-pool.ts'

interface NewPasswordFacts {
  email: string
  /** JSON pointer of the field in the error. */
  field: string
  /** The client's address. */
  address: string | null
}

export interface PasswordPolicy {
  /** @throws Problem `validation_failed` with the reason; `overloaded` */
  hashNew: (password: string, facts: NewPasswordFacts) => Promise<string>
  /**
   * Hashes a correct password again, where its stored hash has a lower cost than configured, or is
   * of the system that the account was imported from.
   *
   * @param address the client's
   * @returns undefined where that is not needed, or the queue is full: the next login retries
   */
  rehash: (password: string, storedHash: string, address: string | null) => Promise<string | undefined>
}

export const strengthWorker = new URL('./strength-worker.ts', import.meta.url)

/**
 * Requirements for a new password beyond its length: hard to guess, without composition rules (SP
 * 800-63B-4, 3.1.1.2).
 */
export function createPasswordPolicy(
  pool: WorkerPool,
  hasher: PasswordHasher,
  product: string,
): PasswordPolicy {
  const run = pool.from<typeof worker>(strengthWorker)

  return {
    async hashNew(password, { email, field, address }) {
      const fault =
        findOwnName(password, { email, product }) ?? (await run('whyWeak', { password }, { address }))
      if (fault) {
        throw new Problem('validation_failed', { members: { errors: [{ pointer: field, ...fault }] } })
      }
      return hasher.hash(password, address)
    },

    async rehash(password, storedHash, address) {
      if (!hasher.isOutdated(storedHash)) return undefined
      return hasher.hash(password, address).catch((error) => {
        if (error instanceof Problem && error.code === 'overloaded') return undefined
        throw error
      })
    },
  }
}
