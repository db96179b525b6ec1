import type { Log } from '../../shared/lib/log.ts'
import { nearestName } from '../../shared/lib/nearest-name.ts'
import { type PolicyRow, PolicyRowError } from './policy.ts'
import { PolicyFileError, type PolicyFileRow } from './policy-file.ts'

/** All permissions and features that the origin has. */
export interface KnownNames {
  permissions: readonly string[]
  features: readonly string[]
}

/**
 * Finds an unknown name in a row, which would reject every request, and the most similar known
 * name.
 */
function unknownName(
  { permissions, features = [] }: PolicyRow,
  known: KnownNames,
): { field: 'permissions' | 'features'; reason: string } | undefined {
  const required = [
    ...[...(permissions?.all ?? []), ...(permissions?.any ?? [])].map((name) => ({
      name,
      kind: 'permission',
      field: 'permissions' as const,
      names: known.permissions,
    })),
    ...features.map((name) => ({
      name,
      kind: 'feature',
      field: 'features' as const,
      names: known.features,
    })),
  ]
  const unknown = required.find(({ name, names }) => !names.includes(name))
  if (!unknown) return undefined
  const { name, kind, field, names } = unknown
  const nearest = nearestName(name, names)
  const reason = `asks for the ${kind} ${name}, which the origin does not have`
  return { field, reason: nearest ? `${reason}; the nearest is ${nearest}` : reason }
}

/** @throws PolicyRowError for the first row that asks for what the origin does not have */
export function requireKnownNames(rows: readonly PolicyRow[], known: KnownNames): void {
  for (const [index, row] of rows.entries()) {
    const unknown = unknownName(row, known)
    if (unknown) throw new PolicyRowError(index, row, unknown.field, unknown.reason)
  }
}

/**
 * @param file the name of the file, for the reasons
 * @throws PolicyFileError with each row of the file that asks for what the origin does not have
 */
export function requireKnownNamesInFile(
  file: string,
  added: readonly PolicyFileRow[],
  known: KnownNames,
): void {
  const reasons = added.flatMap(({ row, lineOf }, index) => {
    const unknown = unknownName(row, known)
    if (!unknown) return []
    const { field, reason } = unknown
    const { message } = new PolicyRowError(index, row, field, reason)
    return [{ line: lineOf(field), reason: `${field}: ${message}` }]
  })
  if (reasons.length > 0) throw new PolicyFileError(file, reasons)
}

/** For a gateway that cannot exit: logs the rows, which reject every request. */
export function logUnknownNames(gateway: { requireKnownNames: () => void }, log: Log): void {
  try {
    gateway.requireKnownNames()
  } catch (error) {
    if (!(error instanceof PolicyFileError || error instanceof PolicyRowError)) throw error
    log.error({ reason: error.message }, 'a policy row rejects every request')
  }
}
