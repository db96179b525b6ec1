import type { PasswordHasher } from './hasher.ts'
import { type LegacyVerifier, leftToVerifier, verifierUnavailable } from './legacy-verifier.ts'

/** An account as far as its password is concerned. */
export interface PasswordOwner {
  email: string
  externalId: string | null
  /** null where the account has no password. */
  passwordHash: string | null
}

interface Turn {
  address: string | null
  isPreferred: boolean
}

/** Compares passwords with what an account has: a hash, or a verifier of the former system. */
export function createPasswordMatcher(hasher: PasswordHasher, verifier: LegacyVerifier | undefined) {
  return {
    /**
     * @param owner undefined without an account: takes as long as with one and returns false
     * @throws Problem `overloaded`, `verifier_unavailable`
     */
    async matches(password: string, owner: PasswordOwner | undefined, turn: Turn): Promise<boolean> {
      if (owner?.passwordHash !== leftToVerifier) return hasher.matches(password, owner?.passwordHash, turn)
      if (!verifier) throw verifierUnavailable('LEGACY_VERIFIER_URL is not set')
      // The comparison without a hash hides the time of a verifier that answers sooner.
      const [verdict, compared] = await Promise.allSettled([
        verifier(password, owner),
        hasher.matches(password, undefined, turn),
      ])
      for (const each of [compared, verdict]) if (each.status === 'rejected') throw each.reason
      return verdict.status === 'fulfilled' && verdict.value
    },
  }
}
