import { insertAuditRow } from '../audit/queries.ts'
import type { Transaction } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { RoleRefusal } from './rules.ts'
import { holdAccounts } from './user-queries.ts'

/** The account that changes, the actor, and where the request comes from. */
export interface Change {
  userId: string
  actorId: string
  context: RequestContext
}

/**
 * Holds the accounts of both until the transaction ends. Levels are read from these rows, not from
 * the actor's token: an actor who is gone or locked by now stands below everybody.
 */
export async function holdBoth(transaction: Transaction, { userId, actorId }: Change) {
  const held = await holdAccounts(transaction, [userId, actorId])
  const by = held.get(actorId)
  const actor = { id: actorId, level: by?.status === 'active' ? by.level : -1 }
  return { actor, target: held.get(userId) }
}

/**
 * The audit row of a refused change; the refusal is an outcome, not a throw, so that the row stays.
 */
export async function refuseChange(
  transaction: Transaction,
  { userId, actorId, context }: Change,
  attempted: string,
  reason: RoleRefusal,
): Promise<{ kind: 'refused'; reason: RoleRefusal }> {
  const details = { attempted, reason }
  await insertAuditRow(transaction, { action: 'account.change_refused', actorId, userId, context, details })
  return { kind: 'refused', reason }
}
