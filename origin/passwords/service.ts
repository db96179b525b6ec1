import { Problem } from '../../shared/http/errors.ts'
import { insertLinkRequest } from '../accounts/link-requests.ts'
import { updateEmailVerified } from '../accounts/queries.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Sql } from '../db/types.ts'
import type { LinkTokens } from '../email-tokens/email-tokens.ts'
import { spendLinkTokens } from '../email-tokens/queries.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Lockout } from '../lockout/lockout.ts'
import { clearCounters, lockPasswordForUpdate } from '../lockout/queries.ts'
import type { Mail } from '../mail/service.ts'
import type { SessionOwner } from '../sessions/queries.ts'
import type { SessionService } from '../sessions/service.ts'
import type { PasswordPolicy } from './policy.ts'
import { updatePassword } from './queries.ts'

interface PasswordOptions {
  sql: Sql
  passwords: PasswordPolicy
  lockout: Lockout
  /** Lifts the limit of failed logins at an account; called after the commit. */
  resetLoginLimit: (email: string) => Promise<void>
  sessions: SessionService
  linkTokens: LinkTokens
  mail: Mail
}

interface Change {
  email: string
  currentPassword: string
  newPassword: string
}

export type PasswordService = ReturnType<typeof createPasswordService>

export function createPasswordService({
  sql,
  passwords,
  lockout,
  resetLoginLimit,
  sessions,
  linkTokens,
  mail,
}: PasswordOptions) {
  return {
    /**
     * Changes the password of somebody signed in and ends their other sessions. Tries count against
     * the session, so that a stolen access token cannot try on and locks nobody else out.
     *
     * @returns the new password's version
     * @throws Problem `password_wrong`, the same for wrong and locked; `overloaded`
     */
    async change(
      { userId, sessionId }: SessionOwner,
      { email, currentPassword, newPassword }: Change,
      context: RequestContext,
    ): Promise<string> {
      const own = { id: sessionId, userId }
      const { claim, passwordMatches } = await lockout.evaluate({ userId }, currentPassword, [own], context)
      const { account } = claim
      const passwordHash =
        passwordMatches &&
        (await passwords.hashNew(newPassword, { email, field: '/new_password', address: context.ip }))
      const passwordVersion = await sql.begin(async (transaction) => {
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
          await lockout.fail(transaction, claim, context)
          return undefined
        }
        const version = await updatePassword(transaction, userId, passwordHash)
        await spendLinkTokens(transaction, 'password_reset', userId)
        await sessions.endMany(transaction, userId, sessionId, 'password_changed', context)
        await insertAuditRow(transaction, {
          action: 'password.changed',
          actorId: userId,
          userId,
          sessionId,
          context,
        })
        await mail.enqueue(transaction, account.email, mail.messages.passwordChanged())
        return version
      })
      if (passwordVersion === undefined) {
        throw new Problem('password_wrong')
      }
      mail.nudge()
      return passwordVersion
    },

    /**
     * Asks for a link; whether there is an account to mail it to is looked up later, so that the
     * time tells nobody.
     */
    async forgot(email: string, context: RequestContext): Promise<void> {
      await insertLinkRequest(sql, 'password_reset', { email, context })
      mail.nudge()
    },

    /**
     * Sets a new password by a mailed link: ends all sessions, unlocks the account, and proves the
     * address.
     *
     * @returns what makes the device that did it a known one
     * @throws Problem `link_invalid`; `validation_failed` for a weak password, which leaves the
     *   link good; `overloaded`
     */
    async reset(token: string, newPassword: string, context: RequestContext) {
      const owner = await linkTokens.owner(sql, 'password_reset', token)
      if (!owner) throw new Problem('link_invalid')
      const facts = { email: owner.email, field: '/password', address: context.ip }
      const passwordHash = await passwords.hashNew(newPassword, facts)
      const { userId } = owner
      const passwordVersion = await sql.begin(async (transaction) => {
        // The account's row first: two links of one account would wait for each other the other way
        // round.
        const version = await updatePassword(transaction, userId, passwordHash)
        if (!(await linkTokens.spend(transaction, 'password_reset', token))) throw new Problem('link_invalid')
        await spendLinkTokens(transaction, 'password_reset', userId)
        await clearCounters(transaction, owner.email)
        await sessions.endMany(transaction, userId, undefined, 'password_reset', context)
        await updateEmailVerified(transaction, userId)
        await insertAuditRow(transaction, { action: 'password.reset', actorId: userId, userId, context })
        await mail.enqueue(transaction, owner.email, mail.messages.passwordChanged())
        return version
      })
      await resetLoginLimit(owner.email)
      mail.nudge()
      return { userId, passwordVersion }
    },
  }
}
