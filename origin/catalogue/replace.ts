import { insertAuditRow } from '../audit/queries.ts'
import type { Transaction } from '../db/types.ts'
import { raisePlanEpoch, raiseRoleEpoch } from '../entitlements/epochs.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Catalogue } from './catalogue.ts'
import {
  type CatalogueChange,
  compareCatalogues,
  type ItemChange,
  isEmptyChange,
  removedNames,
} from './compare.ts'
import type { CatalogueEdit, EditConflict } from './edit.ts'
import * as queries from './queries.ts'
import { largestToken, type TokenSize } from './token-size.ts'

/** The users of an item that a change would remove, which is rejected. */
export interface ItemUse {
  kind: 'role' | 'plan'
  name: string
  /** Accounts of a role, subscriptions of a plan. */
  count: number
}

export type CatalogueRejection =
  | { kind: 'in_use'; uses: ItemUse[] }
  | { kind: 'tokens_too_large'; size: TokenSize }

export type Replacement =
  | { kind: 'replaced'; change: CatalogueChange }
  | { kind: 'unchanged' }
  | CatalogueRejection

/**
 * Makes the catalogue be `after`, in a transaction that has the lock of the catalogue. Writes the
 * rows that differ, and raises the epochs of exactly the roles and plans whose tokens are no longer
 * right. A rejection has written nothing.
 *
 * @param before what `lockCatalogue` returned
 */
export async function replaceCatalogue(
  transaction: Transaction,
  before: Catalogue,
  after: Catalogue,
): Promise<Replacement> {
  const evaluated = await evaluateReplacement(transaction, before, after)
  if (evaluated.kind !== 'replaced') return evaluated
  const { change } = evaluated
  for (const role of change.stale.roles) await raiseRoleEpoch(transaction, role)
  for (const plan of change.stale.plans) await raisePlanEpoch(transaction, plan)
  await writeChange(transaction, change)
  return evaluated
}

/** As `replaceCatalogue`, and writes nothing. */
export async function evaluateReplacement(
  transaction: Transaction,
  before: Catalogue,
  after: Catalogue,
): Promise<Replacement> {
  const change = compareCatalogues(before, after)
  if (isEmptyChange(change)) return { kind: 'unchanged' }
  const size = largestToken(after)
  // A catalogue that is over the limit already may become smaller step by step.
  if (size.characters > Math.max(size.limit, largestToken(before).characters))
    return { kind: 'tokens_too_large', size }
  const uses = await findUses(transaction, change)
  return uses.length > 0 ? { kind: 'in_use', uses } : { kind: 'replaced', change }
}

async function findUses(transaction: Transaction, change: CatalogueChange): Promise<ItemUse[]> {
  const removed = { roles: removedNames(change.roles), plans: removedNames(change.plans) }
  if (removed.roles.length === 0 && removed.plans.length === 0) return []
  await queries.lockForRemoval(transaction, removed)
  const roles = await queries.countAccounts(transaction, removed.roles)
  const plans = await queries.countSubscriptions(transaction, removed.plans)
  return [
    ...roles.map((role) => ({ kind: 'role' as const, ...role })),
    ...plans.map((plan) => ({ kind: 'plan' as const, ...plan })),
  ]
}

async function writeChange(transaction: Transaction, change: CatalogueChange): Promise<void> {
  const { permissions, roles, features, plans, planOrder } = change
  if (permissions.length > 0) await queries.upsertPermissions(transaction, remaining(permissions))
  if (features.length > 0) await queries.upsertFeatures(transaction, remaining(features))
  for (const role of roles) {
    if (role.kind === 'removed') continue
    if (role.kind === 'added') await queries.insertRole(transaction, role.after)
    else await queries.updateRole(transaction, role.after)
    await queries.replaceRolePermissions(transaction, role.after)
  }
  const newDefault = remaining(roles).find(({ isDefault }) => isDefault)
  if (newDefault) await queries.moveDefaultRole(transaction, newDefault.name)
  for (const [position, plan] of plans.entries()) {
    if (plan.kind === 'removed') continue
    if (plan.kind === 'added') await queries.insertPlan(transaction, plan.after, position)
    else await queries.updatePlan(transaction, plan.after)
    await queries.replacePlanFeatures(transaction, plan.after)
  }
  // Items that others refer to go last.
  const removals = [
    ['roles', roles],
    ['subscription_plans', plans],
    ['permissions', permissions],
    ['features', features],
  ] as const
  for (const [table, changes] of removals) {
    const names = removedNames(changes)
    if (names.length > 0) await queries.deleteItems(transaction, table, names)
  }
  if (planOrder) await queries.replacePlanOrder(transaction, planOrder.after)
}

/** The items that are there afterwards. */
const remaining = <Item extends { name: string }>(changes: readonly ItemChange<Item>[]): Item[] =>
  changes.flatMap((change) => (change.kind === 'removed' ? [] : [change.after]))

/**
 * Carries out a change of one item with its audit row, in a transaction that has the lock of the
 * catalogue. A change to the same values changes nothing.
 */
export async function applyEdit(
  transaction: Transaction,
  before: Catalogue,
  { after, audit }: CatalogueEdit,
  by: { actorId: string; context: RequestContext },
): Promise<{ kind: 'done'; catalogue: Catalogue } | EditConflict> {
  const replacement = await replaceCatalogue(transaction, before, after)
  switch (replacement.kind) {
    case 'replaced':
      await insertAuditRow(transaction, { ...audit, ...by, userId: null })
      return { kind: 'done', catalogue: after }
    case 'unchanged':
      return { kind: 'done', catalogue: after }
    case 'tokens_too_large':
      return replacement
    case 'in_use': {
      // A change of one item removes one item.
      const [use] = replacement.uses
      return {
        kind: 'in_use',
        by: use?.kind === 'role' ? 'accounts' : 'subscriptions',
        ...(use && { count: use.count }),
      }
    }
  }
}
