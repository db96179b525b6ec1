import type { Catalogue, Feature, Permission, Plan, Role } from './catalogue.ts'

export type ItemChange<Item> =
  | { kind: 'added'; after: Item }
  | { kind: 'removed'; before: Item }
  | { kind: 'changed'; before: Item; after: Item }

/** The difference of two catalogues. */
export interface CatalogueChange {
  permissions: ItemChange<Permission>[]
  roles: ItemChange<Role>[]
  features: ItemChange<Feature>[]
  plans: ItemChange<Plan>[]
  /** The names of all plans, where their order changes or one comes or goes. */
  planOrder: { before: string[]; after: string[] } | undefined
  /** Roles and plans whose tokens are stale: each was in the catalogue before. */
  stale: { roles: string[]; plans: string[] }
}

export function compareCatalogues(before: Catalogue, after: Catalogue): CatalogueChange {
  const roles = compareItems(before.roles, after.roles)
  const plans = compareItems(before.plans, after.plans)
  return {
    permissions: compareItems(before.permissions, after.permissions),
    roles,
    features: compareItems(before.features, after.features),
    plans,
    planOrder: comparePlanOrder(before.plans, after.plans),
    stale: { roles: staleRoles(roles), plans: stalePlans(plans, before, after) },
  }
}

export const isEmptyChange = ({ permissions, roles, features, plans, planOrder }: CatalogueChange) =>
  [permissions, roles, features, plans].every(({ length }) => length === 0) && planOrder === undefined

/** The names of the items that a change removes. */
export const removedNames = (changes: readonly ItemChange<{ name: string }>[]): string[] =>
  changes.flatMap((change) => (change.kind === 'removed' ? [change.before.name] : []))

function compareItems<Item extends { name: string }>(
  before: readonly Item[],
  after: readonly Item[],
): ItemChange<Item>[] {
  const earlier = new Map(before.map((item) => [item.name, item]))
  const later = new Set(after.map(({ name }) => name))
  return [
    ...before.flatMap((item): ItemChange<Item>[] =>
      later.has(item.name) ? [] : [{ kind: 'removed', before: item }],
    ),
    ...after.flatMap((item): ItemChange<Item>[] => {
      const former = earlier.get(item.name)
      if (!former) return [{ kind: 'added', after: item }]
      return isSame(former, item) ? [] : [{ kind: 'changed', before: former, after: item }]
    }),
  ]
}

/** Members are compared by name, lists in their order. */
function isSame<Item extends object>(one: Item, other: Item): boolean {
  return (Object.keys(one) as (keyof Item)[]).every(
    (key) => JSON.stringify(one[key]) === JSON.stringify(other[key]),
  )
}

function comparePlanOrder(before: readonly Plan[], after: readonly Plan[]) {
  const names = { before: before.map(({ name }) => name), after: after.map(({ name }) => name) }
  return names.before.join() === names.after.join() ? undefined : names
}

/** Titles and descriptions are in no token. */
const staleRoles = (changes: readonly ItemChange<Role>[]): string[] =>
  changes.flatMap((change) => {
    if (change.kind === 'added') return []
    if (change.kind === 'removed') return [change.before.name]
    const { before, after } = change
    const isStale = before.level !== after.level || before.permissions.join() !== after.permissions.join()
    return isStale ? [before.name] : []
  })

function stalePlans(changes: readonly ItemChange<Plan>[], before: Catalogue, after: Catalogue): string[] {
  const stale = changes.flatMap((change) => {
    if (change.kind === 'added') return []
    if (change.kind === 'removed') return [change.before.name]
    const { before: former, after: next } = change
    const isStale =
      former.apiQuotaPerHour !== next.apiQuotaPerHour || former.features.join() !== next.features.join()
    return isStale ? [former.name] : []
  })
  // Accounts without a live subscription have the first plan, and get another one now.
  const [first] = before.plans
  if (first && first.name !== after.plans[0]?.name) stale.push(first.name)
  return [...new Set(stale)]
}
