import { stringify } from 'yaml'
import { superadminLevel } from '../../../shared/auth/levels.ts'
import type { Catalogue, Permission, Role } from '../../catalogue/catalogue.ts'

/** A catalogue as a file: `readCatalogueFile` reads the same catalogue from it. */
export function formatCatalogueFile({ permissions, roles, features, plans }: Catalogue): string {
  const file = {
    permissions: described(permissions),
    roles: Object.fromEntries(roles.map((role) => [role.name, roleEntry(role, permissions)])),
    features: described(features),
    plans: Object.fromEntries(
      plans.map((plan) => [
        plan.name,
        {
          title: plan.title,
          price_cents_per_month: plan.priceCentsPerMonth,
          currency: plan.currency,
          api_quota_per_hour: plan.apiQuotaPerHour,
          features: plan.features,
        },
      ]),
    ),
  }
  return stringify(file, { lineWidth: 0 })
}

const described = (items: readonly { name: string; description: string }[]) =>
  Object.fromEntries(items.map(({ name, description }) => [name, description]))

function roleEntry(role: Role, permissions: readonly Permission[]) {
  const hasAll = role.level === superadminLevel && role.permissions.length === permissions.length
  return {
    level: role.level,
    description: role.description,
    ...(role.isDefault && { default: true }),
    permissions: hasAll ? 'all' : role.permissions,
  }
}
