import { Problem } from '../../shared/http/errors.ts'
import type { PasswordHasher } from './hasher.ts'
import { findOwnName } from './rules.ts'
import type * as worker from './strength-worker.ts'
import type { WorkerPool } from './worker-pool.ts'

interface NewPasswordFacts {
  email: string
  /** JSON pointer of the field that a refusal names. */
  field: string
  /** The client's. */
  address: string | null
}

export interface PasswordPolicy {
  /** @throws Problem `validation_failed` with the reason; `overloaded` */
  hashNew: (password: string, facts: NewPasswordFacts) => Promise<string>
  /**
   * A new hash of a password that is right, where its stored one was made at a lower cost than
   * today's.
   *
   * @param address the client's
   * @returns undefined where it was not, or no thread has time for it now: the next login will do
   */
  rehash: (password: string, storedHash: string, address: string | null) => Promise<string | undefined>
}

export const strengthWorker = new URL('./strength-worker.ts', import.meta.url)

/**
 * What a new password must be beyond its length: not easily guessed, and no composition rules (SP
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
