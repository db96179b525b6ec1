import type { CatalogueChange, ItemChange } from './compare.ts'
import type { CatalogueRejection } from './replace.ts'

/** Members in the words of a catalogue file. */
const memberNames: Record<string, string> = {
  isDefault: 'default',
  priceCentsPerMonth: 'price_cents_per_month',
  apiQuotaPerHour: 'api_quota_per_hour',
}

/** A change in lines: `+` for added items, `-` for removed, `~` for changed ones. */
export function describeChange(change: CatalogueChange): string[] {
  const { permissions, roles, features, plans, planOrder, stale } = change
  return [
    ...permissions.map((each) => describeItem('permission', each)),
    ...roles.map((each) => describeItem('role', each)),
    ...features.map((each) => describeItem('feature', each)),
    ...plans.map((each) => describeItem('plan', each)),
    ...(planOrder ? [`~ plans: ${planOrder.before.join(', ')} -> ${planOrder.after.join(', ')}`] : []),
    ...describeStale(stale),
  ]
}

export function describeRejection(rejection: CatalogueRejection): string[] {
  switch (rejection.kind) {
    case 'in_use':
      return rejection.uses.map(({ kind, name, count }) => {
        const [one, many] =
          kind === 'role' ? ['account has', 'accounts have'] : ['subscription has', 'subscriptions have']
        const past = kind === 'plan' ? ', past ones counted' : ''
        return `The ${kind} ${name} cannot be removed: ${count} ${count === 1 ? one : many} it${past}.`
      })
    case 'tokens_too_large': {
      const { characters, limit, role, plan } = rejection.size
      return [
        `Access tokens would have up to ${characters} characters (role ${role} with plan ${plan}); a gateway accepts ${limit}.`,
      ]
    }
  }
}

function describeItem(kind: string, change: ItemChange<{ name: string }>): string {
  switch (change.kind) {
    case 'added':
      return `+ ${kind} ${change.after.name}`
    case 'removed':
      return `- ${kind} ${change.before.name}`
    case 'changed':
      return `~ ${kind} ${change.after.name}: ${describeMembers(change.before, change.after).join('; ')}`
  }
}

function describeMembers(before: object, after: object): string[] {
  const former = new Map<string, unknown>(Object.entries(before))
  return Object.entries(after).flatMap(([member, value]): string[] => {
    const was = former.get(member)
    const name = memberNames[member] ?? member
    if (Array.isArray(was) && Array.isArray(value)) return describeList(name, was, value)
    return was === value ? [] : [`${name} ${JSON.stringify(was)} -> ${JSON.stringify(value)}`]
  })
}

function describeList(name: string, before: readonly string[], after: readonly string[]): string[] {
  const added = after.filter((item) => !before.includes(item)).map((item) => `+${item}`)
  const removed = before.filter((item) => !after.includes(item)).map((item) => `-${item}`)
  return added.length + removed.length === 0 ? [] : [`${name} ${[...added, ...removed].join(' ')}`]
}

function describeStale({ roles, plans }: CatalogueChange['stale']): string[] {
  const named = [...roles.map((name) => `role ${name}`), ...plans.map((name) => `plan ${name}`)]
  return named.length === 0 ? [] : [`Tokens to refresh: ${named.join(', ')}`]
}
