import { insertAuditRow } from '../audit/queries.ts'
import type { Transaction } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { RoleRejection } from './rules.ts'
import { lockAccountsForUpdate } from './user-queries.ts'

/** The account that changes, the actor, and where the request comes from. */
export interface AdminAction {
  userId: string
  actorId: string
  context: RequestContext
}

/**
 * Locks the accounts of both until the transaction ends. Levels are read from these rows, not from
 * the actor's token: an actor who was deleted or disabled meanwhile has less authority than
 * anybody.
 */
export async function lockBothForUpdate(transaction: Transaction, { userId, actorId }: AdminAction) {
  const accounts = await lockAccountsForUpdate(transaction, [userId, actorId])
  const by = accounts.get(actorId)
  const actor = { id: actorId, level: by?.status === 'active' ? by.level : -1 }
  return { actor, target: accounts.get(userId) }
}

/**
 * Inserts the audit row of a rejected change. The rejection is returned, not thrown, so that the
 * row is committed.
 */
export async function rejectChange(
  transaction: Transaction,
  { userId, actorId, context }: AdminAction,
  attempted: string,
  reason: RoleRejection,
): Promise<{ kind: 'rejected'; reason: RoleRejection }> {
  const details = { attempted, reason }
  await insertAuditRow(transaction, { action: 'account.change_refused', actorId, userId, context, details })
  return { kind: 'rejected', reason }
}
