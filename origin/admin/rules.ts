import { adminLevel, superadminLevel } from '../../shared/auth/levels.ts'

/** An account as these rules see it. */
export interface AccountLevel {
  id: string
  /** The role's level, 0-100. */
  level: number
}

export type AuthorityRejection = 'own_account' | 'target_at_or_above'
export type RoleRejection = AuthorityRejection | 'role_above_own' | 'superadmin_only'

/** An actor changes neither their own account nor one at or above their level. */
export function evaluateAuthority(actor: AccountLevel, target: AccountLevel): AuthorityRejection | 'allowed' {
  if (actor.id === target.id) return 'own_account'
  if (target.level >= actor.level) return 'target_at_or_above'
  return 'allowed'
}

/**
 * An actor grants no role above their own level; only a superadmin grants admin and superadmin.
 */
export function evaluateRoleChange(
  actor: AccountLevel,
  target: AccountLevel,
  role: { level: number },
): RoleRejection | 'allowed' {
  const authority = evaluateAuthority(actor, target)
  if (authority !== 'allowed') return authority
  if (role.level > actor.level) return 'role_above_own'
  if (role.level >= adminLevel && actor.level < superadminLevel) return 'superadmin_only'
  return 'allowed'
}

export type PermissionsRejection = 'role_at_or_above' | 'permission_not_held'

/** An actor changes roles below their own, and only permissions that they hold. */
export function evaluatePermissionsChange(
  actor: { level: number; permissions: readonly string[] },
  role: { level: number },
  changed: readonly string[],
): PermissionsRejection | 'allowed' {
  if (role.level >= actor.level) return 'role_at_or_above'
  if (!changed.every((permission) => actor.permissions.includes(permission))) return 'permission_not_held'
  return 'allowed'
}
