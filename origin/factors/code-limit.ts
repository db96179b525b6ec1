import { insertAuditRow } from '../audit/queries.ts'
import type { Sql, Transaction } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { AttemptLimit } from '../lockout/attempt-limit.ts'
import {
  clearConsecutiveFailures,
  countConsecutiveAttempt,
  startCeilingLockout,
} from '../lockout/consecutive-failures.ts'
import type { AttemptGroupRef, AttemptReservation } from '../lockout/queries.ts'
import type { Mail } from '../mail/service.ts'
import type { CodeVerifier, PresentedCode } from './verify-code.ts'

interface CodeLimitOptions {
  sql: Sql
  /** Limits the attempts of each group. */
  attempts: AttemptLimit
  codes: CodeVerifier
  mail: Mail
}

export type CodeLimit = ReturnType<typeof createCodeLimit>

/**
 * Limits attempts at codes of second factors, by group and over all groups of an account. Callers
 * name a group of its own only for a device or session that has presented the present factor: any
 * other may belong to somebody who knows the password alone.
 *
 * At the ceiling over all groups, no code of the app is evaluated. Recovery codes still are, as
 * they have 60 random bits; a right one ends the lockout.
 */
export function createCodeLimit({ sql, attempts, codes, mail }: CodeLimitOptions) {
  async function isRight(userId: string, email: string, presented: PresentedCode): Promise<boolean> {
    const isWithinCeiling = await countConsecutiveAttempt(sql, email)
    if (!isWithinCeiling && presented.factor === 'totp') return false
    if (!(await codes.isRight(sql, userId, presented))) return false
    await clearConsecutiveFailures(sql, email)
    return true
  }

  return {
    /** @throws Problem `overloaded`, `rate_limited`; such an attempt does not count */
    evaluate: (
      userId: string,
      presented: PresentedCode,
      ownGroups: readonly AttemptGroupRef[],
      context: RequestContext,
    ) =>
      attempts.evaluate(
        { userId },
        async (account) => account !== undefined && isRight(userId, account.email, presented),
        ownGroups,
        context,
      ),

    /** Starts the lockouts that this failure was the last one before, and notifies the owner. */
    async fail(
      transaction: Transaction,
      reservation: AttemptReservation,
      context: RequestContext,
    ): Promise<void> {
      await attempts.fail(transaction, reservation, context)
      const { account } = reservation
      if (!account || !(await startCeilingLockout(transaction, reservation))) return
      await insertAuditRow(transaction, {
        action: 'account.locked',
        actorId: null,
        userId: account.id,
        context,
        details: { until: null, attempts_at: 'code', all_devices: true },
      })
      await mail.enqueue(transaction, account.email, mail.messages.codesStopped())
    },
  }
}
