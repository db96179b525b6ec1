import { insertAuditRow } from '../audit/queries.ts'
import type { Transaction } from '../db/types.ts'
import { selectEntitlements } from '../entitlements/queries.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Authentication, SessionWithEntitlements } from '../sessions/queries.ts'
import type { SessionService } from '../sessions/service.ts'

/** A session that a login has opened, and its first refresh token. */
export interface OpenedLogin {
  bearer: SessionWithEntitlements
  refreshToken: string
}

/** Opens the session of a login, with its audit row. The caller has locked the account's row. */
export async function openLogin(
  transaction: Transaction,
  sessions: Pick<SessionService, 'open'>,
  {
    userId,
    authentication,
    context,
  }: {
    userId: string
    authentication: Authentication
    context: RequestContext
  },
): Promise<OpenedLogin> {
  const { refreshToken, ...session } = await sessions.open(transaction, userId, authentication, context)
  const { sessionId } = session
  await insertAuditRow(transaction, {
    action: 'login.succeeded',
    actorId: userId,
    userId,
    sessionId,
    context,
    details: { amr: [...authentication.amr], acr: authentication.acr },
  })
  const entitlements = await selectEntitlements(transaction, userId)
  // The locked row keeps the account active, and every account has a role and a plan.
  if (!entitlements) throw new Error('an active account has no entitlements')
  return { bearer: { userId, ...session, ...entitlements }, refreshToken }
}
