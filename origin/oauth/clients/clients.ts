import type { Scope } from '../../../shared/contract/oauth/scopes.ts'
import { type AuditAction, insertAuditRow } from '../../audit/queries.ts'
import type { Queryable, Sql } from '../../db/types.ts'
import type { RequestContext } from '../../http/request-context.ts'
import { hashToken, newOpaqueToken } from '../../opaque-token.ts'
import {
  clearPreviousSecret,
  deleteClientRow,
  insertClient,
  lockClientForUpdate,
  updateClientDisabled,
  updateClientScopes,
  updateClientSecret,
} from './queries.ts'

/** The author of a change of a client. */
export interface ClientOperator {
  /** null for the command, which no user runs. */
  actorId: string | null
  context: RequestContext
}

/** A new secret, which is not stored. */
export interface IssuedSecret {
  secret: string
  /** Until when the secret before it works; null where it does not. */
  previousEndsAt: Date | null
}

/** Each change of a client inserts an audit row in the same transaction. */
async function record(
  transaction: Queryable,
  action: AuditAction,
  { actorId, context }: ClientOperator,
  details: Parameters<typeof insertAuditRow>[1]['details'],
): Promise<void> {
  await insertAuditRow(transaction, { action, actorId, userId: null, context, ...(details && { details }) })
}

/** @returns undefined where the id is taken */
export function createClient(
  sql: Sql,
  { id, scopes }: { id: string; scopes: readonly Scope[] },
  operator: ClientOperator,
): Promise<IssuedSecret | undefined> {
  const secret = newOpaqueToken()
  return sql.begin(async (transaction) => {
    const made = await insertClient(transaction, { id, scopes: [...scopes], secretHash: hashToken(secret) })
    if (!made) return undefined
    await record(transaction, 'client.created', operator, { client_id: id, scope: scopes.join(' ') })
    return { secret, previousEndsAt: null }
  })
}

export type RotationOutcome =
  | ({ kind: 'rotated' } & IssuedSecret)
  | { kind: 'unknown_client' }
  | { kind: 'client_disabled' }

/**
 * Gives a client a new secret. The current one works beside it for `overlapSeconds`, so that the
 * instances of a service change over one by one; a secret before that is void at once.
 */
export function rotateClientSecret(
  sql: Sql,
  { id, overlapSeconds }: { id: string; overlapSeconds: number },
  operator: ClientOperator,
): Promise<RotationOutcome> {
  const secret = newOpaqueToken()
  return sql.begin(async (transaction): Promise<RotationOutcome> => {
    const client = await lockClientForUpdate(transaction, id)
    if (!client) return { kind: 'unknown_client' }
    const updated = await updateClientSecret(transaction, {
      id,
      secretHash: hashToken(secret),
      overlapSeconds,
    })
    if (!updated) return { kind: 'client_disabled' }
    const { previousEndsAt } = updated
    const details = { client_id: id, previous_secret_ends_at: previousEndsAt?.toISOString() ?? null }
    await record(transaction, 'client.secret_rotated', operator, details)
    return { kind: 'rotated', secret, previousEndsAt }
  })
}

/** @returns false where the client has no previous secret that works */
export function endPreviousSecret(sql: Sql, id: string, operator: ClientOperator): Promise<boolean> {
  return sql.begin(async (transaction) => {
    if (!(await clearPreviousSecret(transaction, id))) return false
    await record(transaction, 'client.previous_secret_ended', operator, { client_id: id })
    return true
  })
}

/** @returns false where the client does not exist */
export function setClientScopes(
  sql: Sql,
  { id, scopes }: { id: string; scopes: readonly Scope[] },
  operator: ClientOperator,
): Promise<boolean> {
  return sql.begin(async (transaction) => {
    const before = await lockClientForUpdate(transaction, id)
    if (!before) return false
    if (before.scopes.join(' ') === scopes.join(' ')) return true
    await updateClientScopes(transaction, id, scopes)
    const details = { client_id: id, before: before.scopes.join(' '), after: scopes.join(' ') }
    await record(transaction, 'client.scopes_changed', operator, details)
    return true
  })
}

/** @returns false where the client does not exist or was disabled before */
export function disableClient(sql: Sql, id: string, operator: ClientOperator): Promise<boolean> {
  return sql.begin(async (transaction) => {
    if (!(await updateClientDisabled(transaction, id))) return false
    await record(transaction, 'client.disabled', operator, { client_id: id })
    return true
  })
}

/** @returns false where the client does not exist */
export function deleteClient(sql: Sql, id: string, operator: ClientOperator): Promise<boolean> {
  return sql.begin(async (transaction) => {
    if (!(await deleteClientRow(transaction, id))) return false
    await record(transaction, 'client.deleted', operator, { client_id: id })
    return true
  })
}
