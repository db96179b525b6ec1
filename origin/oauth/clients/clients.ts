import { insertAuditRow } from '../../audit/queries.ts'
import type { Sql } from '../../db/types.ts'
import type { RequestContext } from '../../http/request-context.ts'
import { hashToken, newOpaqueToken } from '../../opaque-token.ts'
import { insertClient, updateClientDisabled, updateClientSecret } from './queries.ts'
import type { Scope } from './scopes.ts'

/**
 * Each change of a client inserts an audit row in the same transaction.
 */

/** @returns the secret, which is not stored; undefined where the id is taken */
export function createClient(
  sql: Sql,
  { id, scopes }: { id: string; scopes: Scope[] },
  context: RequestContext,
): Promise<string | undefined> {
  const secret = newOpaqueToken()
  return sql.begin(async (transaction) => {
    const made = await insertClient(transaction, { id, scopes, secretHash: hashToken(secret) })
    if (!made) return undefined
    await insertAuditRow(transaction, {
      action: 'client.created',
      actorId: null,
      userId: null,
      context,
      details: { client_id: id, scope: scopes.join(' ') },
    })
    return secret
  })
}

/**
 * Replaces the secret. The old one is void at once; its tokens live for their last minutes.
 *
 * @returns the new secret; undefined where the client does not exist or is disabled
 */
export function rotateClientSecret(
  sql: Sql,
  id: string,
  context: RequestContext,
): Promise<string | undefined> {
  const secret = newOpaqueToken()
  return sql.begin(async (transaction) => {
    if (!(await updateClientSecret(transaction, id, hashToken(secret)))) return undefined
    await insertAuditRow(transaction, {
      action: 'client.secret_rotated',
      actorId: null,
      userId: null,
      context,
      details: { client_id: id },
    })
    return secret
  })
}

/** @returns false where the client does not exist or was disabled before */
export function disableClient(sql: Sql, id: string, context: RequestContext): Promise<boolean> {
  return sql.begin(async (transaction) => {
    if (!(await updateClientDisabled(transaction, id))) return false
    await insertAuditRow(transaction, {
      action: 'client.disabled',
      actorId: null,
      userId: null,
      context,
      details: { client_id: id },
    })
    return true
  })
}
