/** Somebody as these rules see them. */
export interface AccountLevel {
  id: string
  /** 0-100, that of their role. */
  level: number
}

export type AuthorityRejection = 'own_account' | 'target_at_or_above'
export type RoleRejection = AuthorityRejection | 'role_above_own' | 'superadmin_only'

/** From this level up a role runs the product, and superadmin alone hands it out. */
const adminLevel = 90
const superadminLevel = 100

/** Nobody acts on themselves, or on somebody at or above their own level. */
export function evaluateAuthority(actor: AccountLevel, target: AccountLevel): AuthorityRejection | 'allowed' {
  if (actor.id === target.id) return 'own_account'
  if (target.level >= actor.level) return 'target_at_or_above'
  return 'allowed'
}

/**
 * Nor does anybody grant a role above their own level; superadmin alone assigns admin and
 * superadmin.
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

/** Of a role below their own somebody changes the permissions that they hold themselves. */
export function evaluatePermissionsChange(
  actor: { level: number; permissions: readonly string[] },
  role: { level: number },
  changed: readonly string[],
): PermissionsRejection | 'allowed' {
  if (role.level >= actor.level) return 'role_at_or_above'
  if (!changed.every((permission) => actor.permissions.includes(permission))) return 'permission_not_held'
  return 'allowed'
}
