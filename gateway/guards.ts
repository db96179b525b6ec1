import type { Identity } from '../shared/claims.ts'
import { Problem } from '../shared/errors.ts'
import type { Route } from './policy.ts'

/**
 * Holds a caller against a row, from the token alone.
 *
 * @throws Problem `permission_required`, `level_required`, `feature_required`
 */
export function requireRights(route: Route, identity: Identity): void {
  const { permissions: { any, all } = {}, level, features } = route
  const has = (permission: string) => identity.permissions.includes(permission)
  if (all && !all.every(has)) {
    throw new Problem('permission_required', { members: { required_permissions: { all } } })
  }
  if (any && !any.some(has)) {
    throw new Problem('permission_required', { members: { required_permissions: { any } } })
  }
  if (level !== undefined && identity.level < level) {
    throw new Problem('level_required', { members: { required_level: level } })
  }
  const lacking = features?.find((feature) => !identity.features.includes(feature))
  if (lacking) {
    throw new Problem('feature_required', {
      members: { required_feature: lacking, current_plan: identity.plan },
    })
  }
}
