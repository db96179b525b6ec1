import * as z from 'zod'
import { Problem } from '../http/errors.ts'
import type { Identity } from './claims.ts'

const names = z.array(z.string().min(1)).min(1)

/**
 * Requirements on a caller: permissions (any of, all of), features (all of), a level. All of them
 * must hold.
 */
export const authorizationShape = {
  permissions: z
    .strictObject({ any: names.optional(), all: names.optional() })
    .refine(({ any, all }) => any || all, { error: 'names no permission' })
    .optional(),
  features: names.optional(),
  level: z.int().min(0).max(100).optional(),
}

const authorizationSchema = z.strictObject(authorizationShape)

export type Authorization = z.output<typeof authorizationSchema>

export type AuthorizationOutcome =
  | { kind: 'granted' }
  | { kind: 'lacks_permission'; required: { any: string[] } | { all: string[] } }
  | { kind: 'lacks_level'; required: number }
  /** `lacking` is the first feature that the plan does not have. */
  | { kind: 'lacks_feature'; lacking: string; required: string[]; plan: string }

/** Evaluates the requirements against the claims alone. */
export function evaluateAuthorization(
  { permissions: { any, all } = {}, level, features = [] }: Authorization,
  identity: Pick<Identity, 'permissions' | 'level' | 'features' | 'plan'>,
): AuthorizationOutcome {
  const has = (permission: string) => identity.permissions.includes(permission)
  if (all && !all.every(has)) return { kind: 'lacks_permission', required: { all } }
  if (any && !any.some(has)) return { kind: 'lacks_permission', required: { any } }
  if (level !== undefined && identity.level < level) return { kind: 'lacks_level', required: level }
  const lacking = features.find((feature) => !identity.features.includes(feature))
  if (lacking !== undefined)
    return { kind: 'lacks_feature', lacking, required: features, plan: identity.plan }
  return { kind: 'granted' }
}

/**
 * How a rejection is told.
 *
 * @param offer members about plans that have all of these features, where the plans are known
 * @returns undefined where nothing is lacking
 */
export function authorizationProblem(
  judged: AuthorizationOutcome,
  offer: Offer = () => ({}),
): Problem | undefined {
  switch (judged.kind) {
    case 'granted':
      return undefined
    case 'lacks_permission':
      return new Problem('permission_required', { members: { required_permissions: judged.required } })
    case 'lacks_level':
      return new Problem('level_required', { members: { required_level: judged.required } })
    case 'lacks_feature':
      return featureProblem(judged, offer)
  }
}

type Offer = (features: readonly string[]) => Record<string, unknown>

type MissingFeature = Omit<Extract<AuthorizationOutcome, { kind: 'lacks_feature' }>, 'kind'>

export const featureProblem = ({ lacking, required, plan }: MissingFeature, offer: Offer) =>
  new Problem('feature_required', {
    members: { required_feature: lacking, current_plan: plan, ...offer(required) },
  })
