import { insertAuditRow } from '../audit/queries.ts'
import type { Sql } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Encryption } from './encryption.ts'
import { insertFirstSigningKey, type KeyTable } from './queries.ts'
import { auditOf } from './rules.ts'
import { newKey } from './stored-key.ts'

/**
 * Creates the first key, which signs at once; later ones come by rotation.
 *
 * @param context of the audit row; left out where development creates its own key, without a row
 * @returns its kid; undefined where a signing key exists
 */
export async function createFirstKey(
  sql: Sql,
  encryption: Encryption,
  context?: RequestContext,
  table: KeyTable = 'signing_keys',
): Promise<string | undefined> {
  const key = await newKey(encryption)
  return sql.begin(async (transaction) => {
    if (!(await insertFirstSigningKey(transaction, key, table))) return undefined
    const details = { kid: key.kid, reason: 'first', ...auditOf(table) }
    if (context)
      await insertAuditRow(transaction, {
        action: 'key.signing',
        actorId: null,
        userId: null,
        context,
        details,
      })
    return key.kid
  })
}
