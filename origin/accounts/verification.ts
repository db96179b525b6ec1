import { Problem } from '../../shared/errors.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Client } from '../caller.ts'
import type { Sql } from '../database.ts'
import type { LinkTokens } from './link-tokens.ts'
import { updateEmailVerified } from './queries.ts'

/** @throws Problem `link_invalid` */
export async function verifyEmail(
  { sql, linkTokens }: { sql: Sql; linkTokens: LinkTokens },
  token: string,
  client: Client,
): Promise<void> {
  const verified = await sql.begin(async (transaction) => {
    const userId = await linkTokens.spend(transaction, 'email_verification', token)
    if (!userId) return false
    await updateEmailVerified(transaction, userId)
    await insertAuditRow(transaction, { action: 'account.email_verified', actorId: userId, userId, client })
    return true
  })
  if (!verified) throw new Problem('link_invalid')
}
