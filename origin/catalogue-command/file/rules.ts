import { adminLevel, superadminLevel } from '../../../shared/auth/levels.ts'
import { ownPermissions } from '../../../shared/auth/own-permissions.ts'
import { nearestName } from '../../../shared/lib/nearest-name.ts'
import type { CatalogueFile } from './schema.ts'

/** A fault of a file whose types are right, at the place that the path leads to. */
export interface FileFault {
  path: readonly (string | number)[]
  reason: string
}

/** Allowed names that a reason lists. */
const mostListed = 30

/** Faults beyond those of types that make a catalogue unusable. */
export function findFileFaults(file: CatalogueFile): FileFault[] {
  const permissions = Object.keys(file.permissions)
  const features = Object.keys(file.features)
  return [
    ...missingOwnPermissions(permissions),
    ...Object.entries(file.roles).flatMap(([name, role]) =>
      unknownReferences(['roles', name, 'permissions'], role.permissions ?? [], 'permission', permissions),
    ),
    ...Object.entries(file.plans).flatMap(([name, plan]) =>
      unknownReferences(['plans', name, 'features'], plan.features, 'feature', features),
    ),
    ...(Object.keys(file.plans).length === 0
      ? [{ path: ['plans'], reason: 'there is no plan: the first one is that of new accounts' }]
      : []),
    ...defaultRoleFaults(file),
    ...superadminFaults(file, permissions),
  ]
}

function missingOwnPermissions(permissions: readonly string[]): FileFault[] {
  const missing = ownPermissions.filter((name) => !permissions.includes(name))
  if (missing.length === 0) return []
  return [
    { path: ['permissions'], reason: `lacks ${missing.join(', ')}: routes of Gatehouse itself require it` },
  ]
}

/** Names in a list that do not exist, or that the list has twice. */
function unknownReferences(
  path: readonly string[],
  names: readonly string[],
  kind: 'permission' | 'feature',
  known: readonly string[],
): FileFault[] {
  return names.flatMap((name, index): FileFault[] => {
    const at = { path: [...path, index] }
    if (names.indexOf(name) < index) return [{ ...at, reason: `${name} is listed twice` }]
    if (known.includes(name)) return []
    const nearest = nearestName(name, known)
    const suggestion = nearest === undefined ? '' : `, the nearest is ${nearest}`
    return [{ ...at, reason: `there is no ${kind} ${name}${suggestion}; allowed: ${listNames(known)}` }]
  })
}

function defaultRoleFaults({ roles }: CatalogueFile): FileFault[] {
  const defaults = Object.entries(roles).filter(([, role]) => role.default)
  const [first, second] = defaults
  if (!first) return [{ path: ['roles'], reason: 'no role is that of new accounts: one has default: true' }]
  if (second)
    return [
      { path: ['roles', second[0], 'default'], reason: `${first[0]} is the role of new accounts already` },
    ]
  const [name, { level }] = first
  if (level < adminLevel) return []
  const reason = `new accounts would administer the product: their role is below level ${adminLevel}`
  return [{ path: ['roles', name, 'default'], reason }]
}

/**
 * A role of the highest level with every permission can administer everything. Without one nobody
 * could: no rule lets an administrator grant a permission that they lack, or a role above their
 * own.
 */
function superadminFaults({ roles }: CatalogueFile, permissions: readonly string[]): FileFault[] {
  const highest = Object.entries(roles)
    .filter(([, { level }]) => level === superadminLevel)
    .map(([name, role]) => ({
      name,
      missing: permissions.filter((permission) => !(role.permissions ?? permissions).includes(permission)),
    }))
  if (highest.some(({ missing }) => missing.length === 0)) return []
  const [nearest] = highest.toSorted((one, other) => one.missing.length - other.missing.length)
  if (!nearest)
    return [
      {
        path: ['roles'],
        reason: `no role can administer everything: one has level ${superadminLevel} and permissions: all`,
      },
    ]
  return [
    {
      path: ['roles', nearest.name, 'permissions'],
      reason: `no role can administer everything: ${nearest.name} lacks ${listNames(nearest.missing)}`,
    },
  ]
}

export const listNames = (names: readonly string[]): string => {
  const more = names.length - mostListed
  return more > 0 ? `${names.slice(0, mostListed).join(', ')} and ${more} more` : names.join(', ')
}
