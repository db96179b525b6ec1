import { Problem } from '../../shared/errors.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Client } from '../caller.ts'
import type { Sql, Transaction } from '../database.ts'
import type { PasswordHasher } from '../passwords/hasher.ts'
import {
  type Claim,
  claimTry,
  clearCounter,
  lockWhenUsedUp,
  type OwnCounter,
  releaseTry,
  strangers,
  type Whose,
} from './lockout-queries.ts'

interface LockoutOptions {
  sql: Sql
  passwords: Pick<PasswordHasher, 'matches'>
  maxTries: number
  windowSeconds: number
  lockSeconds: number
  /** Tells the owner, inside the transaction that locks. */
  tellOwner: (transaction: Transaction, email: string, until: Date) => Promise<void>
}

export type Lockout = ReturnType<typeof createLockout>

/**
 * Tries at a password: counted before they are evaluated, by the database's clock. Strangers share one counter of the account, a
 * device that its owner signed in on has its own, so an attacker locks out strangers and never the owner.
 */
export function createLockout({
  sql,
  passwords,
  maxTries,
  windowSeconds,
  lockSeconds,
  tellOwner,
}: LockoutOptions) {
  return {
    /**
     * Evaluates one try. Unknown, locked and wrong cost the same: each is counted and hashes once. A right one clears its counter here, not in
     * the transaction that follows: trouble there must not lock its owner out.
     *
     * @param own of which the one of the account counts this try; strangers' where there is none
     * @throws Problem `overloaded`; such a try does not count
     */
    async evaluate(whose: Whose, password: string, own: readonly OwnCounter[]) {
      const claim = await claimTry(sql, { whose, own, maxTries, windowSeconds })
      const storedHash = claim.claimed ? claim.account?.passwordHash : undefined
      // However many strangers try, who has a counter of their own, as owners on known devices do, does not stand in line behind them.
      const isKnown = claim.claimed && claim.deviceId !== strangers
      try {
        const passwordMatches = await passwords.matches(password, storedHash, isKnown)
        if (passwordMatches) await clearCounter(sql, claim)
        return { claim, passwordMatches }
      } catch (error) {
        if (claim.claimed && error instanceof Problem) await releaseTry(sql, claim)
        throw error
      }
    },

    /** Locks where this failure was the last one allowed. The owner is told, once, where strangers are locked out. */
    async fail(transaction: Transaction, claim: Claim, client: Client): Promise<void> {
      const until = await lockWhenUsedUp(transaction, claim, { maxTries, lockSeconds })
      const { account, deviceId } = claim
      if (!until || !account) return
      await insertAuditRow(transaction, {
        action: 'account.locked',
        actorId: null,
        userId: account.id,
        client,
        details: { until: until.toISOString(), known_device: deviceId !== strangers },
      })
      if (deviceId === strangers) await tellOwner(transaction, account.email, until)
    },
  }
}
