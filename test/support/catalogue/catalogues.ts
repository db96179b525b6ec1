import fc from 'fast-check'
import type { Catalogue, Plan, Role } from '../../../origin/catalogue/catalogue.ts'
import { superadminLevel } from '../../../shared/auth/levels.ts'
import { ownPermissions } from '../../../shared/auth/own-permissions.ts'

/** Few names, so that catalogues have many of them in common. */
const name = fc.constantFrom('alpha', 'beta', 'gamma', 'delta', 'epsilon_long', 'zeta')
const permissionName = fc.constantFrom('aa.read', 'orders.read', 'orders.write', 'orders_old.read', 'zz.z_z')
const text = fc.oneof(
  fc.constantFrom(
    'Ä title',
    'null',
    'yes',
    '007',
    '1e3',
    '- item',
    'a: b',
    '# no comment',
    "it's",
    '"',
    '~',
    '{x',
  ),
  fc
    .stringMatching(/^[a-zA-Z0-9 :#&*!|>'"%@`,[\]{}?-]{1,40}$/)
    .filter((given) => given.trim() === given && given !== ''),
)

const described = <Name>(names: fc.Arbitrary<Name>) =>
  fc.uniqueArray(fc.record({ name: names, description: text }), {
    selector: (item) => item.name,
    maxLength: 6,
  })

const plans = (features: string[]): fc.Arbitrary<Plan[]> =>
  fc.uniqueArray(
    fc.record({
      name,
      title: text,
      priceCentsPerMonth: fc.nat(100_000_000),
      currency: fc.constantFrom('EUR', 'USD'),
      apiQuotaPerHour: fc.integer({ min: 60, max: 1_000_000_000 }),
      features: fc.subarray(features).map((list) => list.toSorted()),
    }),
    { selector: (plan) => plan.name, minLength: 1, maxLength: 6 },
  )

const roles = (permissions: string[]): fc.Arbitrary<Role[]> =>
  fc
    .uniqueArray(
      fc.record({
        name,
        level: fc.integer({ min: 0, max: 89 }),
        description: text,
        isDefault: fc.constant(false),
        permissions: fc.subarray(permissions).map((list) => list.toSorted()),
      }),
      { selector: (role) => role.name, minLength: 1, maxLength: 6 },
    )
    .chain((list) =>
      fc.nat(list.length - 1).map((chosen) => [
        ...list.map((role, index) => ({ ...role, isDefault: index === chosen })),
        {
          name: 'owner',
          level: superadminLevel,
          description: 'Runs it all',
          isDefault: false,
          permissions: permissions.toSorted(),
        },
      ]),
    )

/** Catalogues that a file may have. */
export const catalogues: fc.Arbitrary<Catalogue> = fc
  .record({ permissions: described(permissionName), features: described(name) })
  .chain(({ permissions, features }) => {
    const own = ownPermissions.map((each) => ({ name: each, description: `May ${each}` }))
    const all = [...own, ...permissions]
    return fc.record({
      permissions: fc.constant(all),
      features: fc.constant(features),
      roles: roles(all.map((item) => item.name)),
      plans: plans(features.map((item) => item.name)),
    })
  })

/** Lists whose order means nothing are sorted. */
export const normalized = ({ permissions, roles, features, plans }: Catalogue): Catalogue => {
  const byName = (one: { name: string }, other: { name: string }) => (one.name < other.name ? -1 : 1)
  return {
    permissions: permissions.toSorted(byName),
    roles: roles.toSorted(byName),
    features: features.toSorted(byName),
    plans,
  }
}
