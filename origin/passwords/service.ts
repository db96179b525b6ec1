import { insertEmailTokenRequest } from '../accounts/email-token-requests.ts'
import { lockAccountForUpdate, updateEmailVerified } from '../accounts/queries.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Sql } from '../db/types.ts'
import type { EmailTokens } from '../email-tokens/email-tokens.ts'
import { spendEmailTokens } from '../email-tokens/queries.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Lockout } from '../lockout/lockout.ts'
import { clearAttempts, lockPasswordForUpdate } from '../lockout/queries.ts'
import type { Mail } from '../mail/service.ts'
import type { SessionOwner } from '../sessions/queries.ts'
import type { SessionService } from '../sessions/service.ts'
import type { PasswordPolicy } from './policy.ts'
import { updatePassword } from './queries.ts'

interface PasswordOptions {
  sql: Sql
  passwords: PasswordPolicy
  lockout: Lockout
  /** Resets the limit of failed logins at an account; called after the commit. */
  resetLoginLimit: (email: string) => Promise<void>
  sessions: SessionService
  emailTokens: EmailTokens
  mail: Mail
}

interface PasswordChange {
  email: string
  currentPassword: string
  newPassword: string
}

export type ChangeOutcome =
  | { kind: 'changed'; passwordVersion: string }
  /** The password is wrong, or the attempts are used up. */
  | { kind: 'wrong_password' }

export type ResetOutcome =
  | { kind: 'changed'; userId: string; passwordVersion: string }
  | { kind: 'link_invalid' }

export type PasswordService = ReturnType<typeof createPasswordService>

export function createPasswordService({
  sql,
  passwords,
  lockout,
  resetLoginLimit,
  sessions,
  emailTokens,
  mail,
}: PasswordOptions) {
  return {
    /**
     * Changes the password of a signed-in user and ends their other sessions. Attempts count
     * against the session: a stolen access token has few, and locks nobody else out.
     *
     * @throws Problem `validation_failed` for a weak password; `overloaded`, `rate_limited`
     */
    async change(
      { userId, sessionId }: SessionOwner,
      { email, currentPassword, newPassword }: PasswordChange,
      context: RequestContext,
    ): Promise<ChangeOutcome> {
      const own = { id: sessionId, userId }
      const { reservation, passwordMatches } = await lockout.evaluate(
        { userId },
        currentPassword,
        [own],
        context,
      )
      const { account } = reservation
      const passwordHash =
        passwordMatches &&
        (await passwords.hashNew(newPassword, { email, field: '/new_password', address: context.ip }))
      const outcome = await sql.begin(async (transaction): Promise<ChangeOutcome> => {
        if (!account || !passwordHash || !(await lockPasswordForUpdate(transaction, account))) {
          const details = { reason: 'wrong_password' }
          await insertAuditRow(transaction, {
            action: 'password.change_refused',
            actorId: userId,
            userId,
            sessionId,
            context,
            details,
          })
          await lockout.fail(transaction, reservation, context)
          return { kind: 'wrong_password' }
        }
        const passwordVersion = await updatePassword(transaction, userId, passwordHash)
        await spendEmailTokens(transaction, 'password_reset', userId)
        await sessions.endMany(transaction, userId, sessionId, 'password_changed', context)
        await insertAuditRow(transaction, {
          action: 'password.changed',
          actorId: userId,
          userId,
          sessionId,
          context,
        })
        await mail.enqueue(transaction, account.email, mail.messages.passwordChanged())
        return { kind: 'changed', passwordVersion }
      })
      mail.wake()
      return outcome
    },

    /**
     * Requests a link. The account is looked up later, so that the response time does not reveal
     * it.
     */
    async forgot(email: string, context: RequestContext): Promise<void> {
      await insertEmailTokenRequest(sql, 'password_reset', { email, context })
      mail.wake()
    },

    /**
     * Sets a new password by a mailed link, which ends all sessions, unlocks the account and
     * verifies the address.
     *
     * @throws Problem `validation_failed` for a weak password, which leaves the link valid;
     *   `overloaded`
     */
    async reset(token: string, newPassword: string, context: RequestContext): Promise<ResetOutcome> {
      const owner = await emailTokens.owner(sql, 'password_reset', token)
      if (!owner) return { kind: 'link_invalid' }
      const facts = { email: owner.email, field: '/password', address: context.ip }
      const passwordHash = await passwords.hashNew(newPassword, facts)
      const { userId } = owner
      const outcome = await sql.begin(async (transaction): Promise<ResetOutcome> => {
        // The row of the account is locked first: in the other order, two links of one account
        // would wait for each other.
        await lockAccountForUpdate(transaction, userId)
        if (!(await emailTokens.spend(transaction, 'password_reset', token))) return { kind: 'link_invalid' }
        const passwordVersion = await updatePassword(transaction, userId, passwordHash)
        await spendEmailTokens(transaction, 'password_reset', userId)
        // Those at codes stay: a mailbox must not give new guesses at the second factor.
        await clearAttempts(transaction, owner.email, 'password')
        await sessions.endMany(transaction, userId, undefined, 'password_reset', context)
        await updateEmailVerified(transaction, userId)
        await insertAuditRow(transaction, { action: 'password.reset', actorId: userId, userId, context })
        await mail.enqueue(transaction, owner.email, mail.messages.passwordChanged())
        return { kind: 'changed', userId, passwordVersion }
      })
      if (outcome.kind === 'changed') await resetLoginLimit(owner.email)
      mail.wake()
      return outcome
    },
  }
}
