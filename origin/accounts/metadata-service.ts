import type { AccountMetadataResponse, JsonObject } from '../../shared/contract.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Sql, Transaction } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import { type AccountMetadata, selectMetadata, updateProductMetadata } from './queries.ts'

interface MetadataChange {
  userId: string
  metadata: JsonObject
  /** The account that acted; null for a service. */
  actorId: string | null
  context: RequestContext
  /** Members of the audit row that say who acted where that is no account. */
  details?: Record<string, string>
}

/** The metadata of accounts. A user changes their own part in their profile. */
export function createMetadataService({ sql }: { sql: Sql }) {
  return {
    read: (userId: string) => selectMetadata(sql, userId),

    /** Sets the part of the product. @returns undefined where the account does not exist */
    set: (change: MetadataChange) => sql.begin((transaction) => setProductMetadata(transaction, change)),
  }
}

export type MetadataService = ReturnType<typeof createMetadataService>

/** Sets the part of the product, with its audit row. */
export async function setProductMetadata(
  transaction: Transaction,
  { userId, metadata, actorId, context, details = {} }: MetadataChange,
): Promise<AccountMetadata | undefined> {
  const changed = await updateProductMetadata(transaction, userId, metadata)
  if (!changed) return undefined
  await insertAuditRow(transaction, { action: 'account.metadata_changed', actorId, userId, context, details })
  return changed
}

export const toMetadataResponse = ({ user, product }: AccountMetadata): AccountMetadataResponse => ({
  user_metadata: user,
  product_metadata: product,
})
