import { adminLevel, superadminLevel } from '../../shared/auth/levels.ts'

/** An account as these rules see it. */
export interface AccountLevel {
  id: string
  /** The role's level, 0-100. */
  level: number
}

export type AuthorityRejection = 'own_account' | 'target_at_or_above'
export type RoleRejection = AuthorityRejection | 'role_above_own' | 'superadmin_only' | 'permission_not_held'

/** A level and the permissions that come with it. */
export interface Rights {
  level: number
  permissions: readonly string[]
}

export function holdsAll({ permissions: held }: Rights, permissions: readonly string[]): boolean {
  return permissions.every((permission) => held.includes(permission))
}

/** An actor changes neither their own account nor one at or above their level. */
export function evaluateAuthority(actor: AccountLevel, target: AccountLevel): AuthorityRejection | 'allowed' {
  if (actor.id === target.id) return 'own_account'
  if (target.level >= actor.level) return 'target_at_or_above'
  return 'allowed'
}

/**
 * An actor grants no role above their own level, and none with a permission that they lack. Only a
 * superadmin grants admin and superadmin.
 */
export function evaluateRoleChange(
  actor: AccountLevel & Rights,
  target: AccountLevel,
  role: Rights,
): RoleRejection | 'allowed' {
  const authority = evaluateAuthority(actor, target)
  if (authority !== 'allowed') return authority
  if (role.level > actor.level) return 'role_above_own'
  if (actor.level >= superadminLevel) return 'allowed'
  if (role.level >= adminLevel) return 'superadmin_only'
  if (!holdsAll(actor, role.permissions)) return 'permission_not_held'
  return 'allowed'
}

export type PermissionsRejection = 'role_at_or_above' | 'permission_not_held'

/** An actor changes roles below their own, and only permissions that they hold. */
export function evaluatePermissionsChange(
  actor: Rights,
  role: { level: number },
  changed: readonly string[],
): PermissionsRejection | 'allowed' {
  if (role.level >= actor.level) return 'role_at_or_above'
  if (!holdsAll(actor, changed)) return 'permission_not_held'
  return 'allowed'
}
