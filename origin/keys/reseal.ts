import { insertAuditRow } from '../audit/queries.ts'
import type { Sql } from '../db/types.ts'
import type { Client } from '../http/request-context.ts'
import { lockSealedRows, updateSealed } from './queries.ts'
import type { Sealing } from './sealing.ts'
import { SealedKeyError } from './stored-key.ts'

export interface Resealed {
  /** Signing keys and mails now under the new key. */
  resealed: number
  /** Already under it. */
  kept: number
  /** Mails under neither: they are not sent any more. */
  lost: number
}

/**
 * Puts everything that KEY_ENCRYPTION_KEY seals under another one: all of it in one transaction, or
 * nothing. What is under the new one already stays, so it may run again for what replicas with the
 * old one sealed meanwhile.
 *
 * @throws SealedKeyError where a signing key opens under neither
 */
export function reseal(
  sql: Sql,
  { from, to }: { from: Sealing; to: Sealing },
  by: Client,
): Promise<Resealed> {
  return sql.begin(async (transaction) => {
    const counts: Resealed = { resealed: 0, kept: 0, lost: 0 }
    for (const row of await lockSealedRows(transaction)) {
      if (tryOpening(to, row) !== undefined) {
        counts.kept++
        continue
      }
      const secret = tryOpening(from, row)
      if (secret !== undefined) {
        await updateSealed(transaction, { ...row, sealed: to.seal(row.name, secret) })
        counts.resealed++
      } else if (row.table === 'mail_outbox') counts.lost++
      else throw new SealedKeyError('neither the old nor the new one')
    }
    if (counts.resealed > 0)
      await insertAuditRow(transaction, {
        action: 'key.resealed',
        actorId: null,
        userId: null,
        client: by,
        details: { ...counts },
      })
    return counts
  })
}

function tryOpening(sealing: Sealing, { name, sealed }: { name: string; sealed: Uint8Array }) {
  try {
    return sealing.open(name, sealed)
  } catch {
    return undefined
  }
}
