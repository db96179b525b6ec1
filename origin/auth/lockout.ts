import { Problem } from '../../shared/errors.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Client } from '../caller.ts'
import type { Sql, Transaction } from '../database.ts'
import type { PasswordHasher } from '../passwords/hasher.ts'
import {
  type Claim,
  type Counter,
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
     * Evaluates one try. Unknown, locked and wrong take the same time: each hashes once. A right one clears its counter here, not in
     * the transaction that follows: trouble there must not lock its owner out.
     *
     * @throws Problem `overloaded`; such a try does not count
     */
    async evaluate(whose: Whose, password: string, own: OwnCounter | undefined) {
      const account = await claimTry(sql, { whose, own, maxTries, windowSeconds })
      const storedHash = account?.claimed ? account.passwordHash : undefined
      try {
        const passwordMatches = await passwords.matches(password, storedHash)
        if (account && passwordMatches) await clearCounter(sql, counterOf(account))
        return { account, passwordMatches }
      } catch (error) {
        if (account?.claimed && error instanceof Problem) await releaseTry(sql, counterOf(account))
        throw error
      }
    },

    /** Locks where this failure was the last one allowed. The owner is told, once, where strangers are locked out. */
    async fail(transaction: Transaction, account: Claim, client: Client): Promise<void> {
      const until = await lockWhenUsedUp(transaction, counterOf(account), { maxTries, lockSeconds })
      if (!until) return
      await insertAuditRow(transaction, {
        action: 'account.locked',
        actorId: null,
        userId: account.id,
        client,
        details: { until: until.toISOString(), known_device: account.deviceId !== strangers },
      })
      if (account.deviceId === strangers) await tellOwner(transaction, account.email, until)
    },
  }
}

const counterOf = ({ id, deviceId }: Claim): Counter => ({ userId: id, deviceId })
