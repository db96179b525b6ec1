import * as z from 'zod'
import { catalogueTexts, planTerms } from '../../../shared/contract/catalogue/fields.ts'
import {
  featureName,
  permissionName,
  planName,
  roleLevel,
  roleName,
} from '../../../shared/contract/fields.ts'

const role = z.strictObject({
  level: roleLevel,
  description: catalogueTexts.description,
  /** Whether new accounts have it. */
  default: z.boolean().default(false),
  /** null stands for all. */
  permissions: z.preprocess(
    (given) => (given === 'all' ? null : given),
    z.array(permissionName, { error: 'must be all, or a list of permissions' }).nullable(),
  ),
})

const plan = z.strictObject({ ...planTerms, features: z.array(featureName) })

/** The content of a catalogue file. */
export const catalogueFileSchema = z.strictObject({
  permissions: z.record(permissionName, catalogueTexts.description),
  roles: z.record(roleName, role),
  features: z.record(featureName, catalogueTexts.description),
  /** From the cheapest up. */
  plans: z.record(planName, plan),
})

export type CatalogueFile = z.output<typeof catalogueFileSchema>

/** The keys that a file may have at the place that a path leads to. */
export function allowedKeys(path: readonly PropertyKey[]): string[] {
  const [section, , ...rest] = path
  if (path.length === 0) return Object.keys(catalogueFileSchema.shape)
  if (rest.length > 0 || path.length !== 2) return []
  if (section === 'roles') return Object.keys(role.shape)
  return section === 'plans' ? Object.keys(plan.shape) : []
}
