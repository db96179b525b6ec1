import { insertAuditRow } from '../audit/queries.ts'
import type { Sql } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Catalogue } from './catalogue.ts'
import type { CatalogueChange } from './compare.ts'
import { lockCatalogue } from './queries.ts'
import { evaluateReplacement, type Replacement, replaceCatalogue } from './replace.ts'

/** The effect that applying a catalogue would have. */
export async function diffCatalogue(sql: Sql, wanted: Catalogue): Promise<Replacement> {
  return sql.begin(async (transaction) =>
    evaluateReplacement(transaction, await lockCatalogue(transaction), wanted),
  )
}

/** Makes the catalogue be `wanted`, in one transaction with its audit row. */
export async function applyCatalogue(
  sql: Sql,
  wanted: Catalogue,
  context: RequestContext,
): Promise<Replacement> {
  return sql.begin(async (transaction): Promise<Replacement> => {
    const before = await lockCatalogue(transaction)
    const replacement = await replaceCatalogue(transaction, before, wanted)
    if (replacement.kind !== 'replaced') return replacement
    await insertAuditRow(transaction, {
      action: 'catalogue.applied',
      actorId: null,
      userId: null,
      context,
      details: auditDetails(replacement.change),
    })
    return replacement
  })
}

/** Every item that changes, before and after, by what it is. */
function auditDetails({ planOrder, stale, ...items }: CatalogueChange) {
  return JSON.parse(JSON.stringify({ ...items, plan_order: planOrder, stale }))
}
