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
  /** The same for a locked counter. */
  | { kind: 'wrong_password' }

/**
 * Verifies an address for whoever has both its mail and the account's password. The link alone
 * would let somebody register another's address, wait until its owner opens the mail, and go on
 * with a password of their own in an account that counts as the owner's. An owner who did not
 * register has no such password, and takes the account over by a reset link, which leaves the other
 * nothing.
 *
 * Tries count against the link, so that they lock nobody out; a wrong one leaves it good.
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
  const { claim, passwordMatches } = await lockout.evaluate({ userId }, password, [own], context)
  const { account } = claim
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
      await lockout.fail(transaction, claim, context)
      return { kind: 'wrong_password' }
    }
    if (!(await emailTokens.spend(transaction, 'email_verification', token))) return { kind: 'link_invalid' }
    await updateEmailVerified(transaction, userId)
    await insertAuditRow(transaction, { action: 'account.email_verified', actorId: userId, ...about })
    return { kind: 'verified' }
  })
}
