import { insertAuditRow } from '../audit/queries.ts'
import type { Sql } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Encryption } from './encryption.ts'
import { lockEncryptedRowsForUpdate, updateEncrypted } from './queries.ts'
import { KeyDecryptionError } from './stored-key.ts'

export interface ReencryptionCounts {
  /** Signing keys, mails and secrets of TOTP encrypted with the new key now. */
  reencrypted: number
  /** Values encrypted with the new key before. */
  kept: number
  /** Mails and secrets of TOTP that neither key decrypts: they are not used. */
  lost: number
}

/**
 * Reencrypts all values under KEY_ENCRYPTION_KEY in one transaction. Values under the new key stay,
 * so that a second run covers values that replicas with the old key encrypted meanwhile.
 *
 * @throws KeyDecryptionError where neither key decrypts a signing key
 */
export function reencrypt(
  sql: Sql,
  { from, to }: { from: Encryption; to: Encryption },
  context: RequestContext,
): Promise<ReencryptionCounts> {
  return sql.begin(async (transaction) => {
    const counts: ReencryptionCounts = { reencrypted: 0, kept: 0, lost: 0 }
    for (const row of await lockEncryptedRowsForUpdate(transaction)) {
      if (tryDecrypting(to, row) !== undefined) {
        counts.kept++
        continue
      }
      const secret = tryDecrypting(from, row)
      if (secret !== undefined) {
        await updateEncrypted(transaction, { ...row, encrypted: to.encrypt(row.name, secret) })
        counts.reencrypted++
      } else if (row.table !== 'signing_keys' && row.table !== 'assertion_keys') counts.lost++
      else throw new KeyDecryptionError('neither the old nor the new one')
    }
    if (counts.reencrypted > 0)
      await insertAuditRow(transaction, {
        action: 'key.resealed',
        actorId: null,
        userId: null,
        context,
        details: { ...counts },
      })
    return counts
  })
}

function tryDecrypting(encryption: Encryption, { name, encrypted }: { name: string; encrypted: Uint8Array }) {
  try {
    return encryption.decrypt(name, encrypted)
  } catch {
    return undefined
  }
}
