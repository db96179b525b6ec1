import type { AuditAction, AuditEvent } from '../audit/queries.ts'
import type { Catalogue } from './catalogue.ts'
import type { TokenSize } from './token-size.ts'

/** The kind of users of an item that keep it from being removed. */
export type UsedBy =
  | 'accounts'
  | 'subscriptions'
  | 'roles'
  | 'plans'
  | 'new_accounts'
  | 'accounts_without_subscription'
  | 'own_routes'

/** Why a change of one item is rejected, for every actor. */
export type EditConflict =
  | { kind: 'unknown_item' | 'name_taken' }
  | { kind: 'in_use'; by: UsedBy; count?: number }
  | { kind: 'tokens_too_large'; size: TokenSize }

/** A change of one item: the catalogue after it, and the audit row. */
export interface CatalogueEdit {
  kind: 'edit'
  after: Catalogue
  audit: { action: AuditAction; details: NonNullable<AuditEvent['details']> }
}

/** The members that differ, before and after, in the names of responses. */
export function changedMembers<Members extends object>(before: Members, after: Members) {
  const differing = (Object.keys(after) as (keyof Members)[]).filter(
    (key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]),
  )
  const pick = (from: Members) => Object.fromEntries(differing.map((key) => [key, from[key]]))
  return { before: pick(before), after: pick(after) }
}
