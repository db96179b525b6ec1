import { insertAuditRow } from '../audit/queries.ts'
import type { Sql } from '../db/types.ts'
import type { EmailTokens } from '../email-tokens/email-tokens.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Lockout } from '../lockout/lockout.ts'
import { lockPasswordForUpdate } from '../lockout/queries.ts'
import { updateEmailVerified } from './queries.ts'

export interface VerificationOptions {
  sql: Sql
  emailTokens: EmailTokens
  lockout: Lockout
}

export type VerificationOutcome =
  | { kind: 'verified' }
  | { kind: 'link_invalid' }
  /** The password is wrong, or the attempts are used up. */
  | { kind: 'wrong_password' }

/**
 * Verifies an address by both the mailed link and the account's password. With the link alone an
 * attacker could register a victim's address, wait until the victim opens the mail, and keep a
 * password to an account that counts as the victim's. A victim who did not register takes the
 * account over by a reset link, which ends the attacker's sessions.
 *
 * Attempts count against the link, so that they lock nobody out. A wrong password leaves the link
 * valid.
 *
 * @throws Problem `overloaded`, `rate_limited`
 */
export async function verifyEmail(
  { sql, emailTokens, lockout }: VerificationOptions,
  { token, password }: { token: string; password: string },
  context: RequestContext,
): Promise<VerificationOutcome> {
  const owner = await emailTokens.owner(sql, 'email_verification', token)
  if (!owner) return { kind: 'link_invalid' }
  const { userId } = owner
  const own = { id: emailTokens.attemptGroupOf(token), userId }
  const { reservation, passwordMatches } = await lockout.evaluate({ userId }, password, [own], context)
  const { account } = reservation
  const about = { userId, context }
  return sql.begin(async (transaction): Promise<VerificationOutcome> => {
    if (!account || !passwordMatches || !(await lockPasswordForUpdate(transaction, account))) {
      const details = { reason: 'wrong_password' }
      await insertAuditRow(transaction, {
        action: 'account.verification_refused',
        actorId: null,
        ...about,
        details,
      })
      await lockout.fail(transaction, reservation, context)
      return { kind: 'wrong_password' }
    }
    if (!(await emailTokens.spend(transaction, 'email_verification', token))) return { kind: 'link_invalid' }
    await updateEmailVerified(transaction, userId)
    await insertAuditRow(transaction, { action: 'account.email_verified', actorId: userId, ...about })
    return { kind: 'verified' }
  })
}
