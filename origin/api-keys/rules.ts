import type { Entitlements } from '../entitlements/queries.ts'

/** The feature of a plan that API keys belong to. */
export const apiKeyFeature = 'api_access'

export type KeyRejection =
  | { kind: 'lacks_feature'; plan: string }
  /** The owner has none of these permissions. */
  | { kind: 'lacks_permission'; missing: string[] }
  | { kind: 'expires_too_early' }
  | { kind: 'expires_too_late'; maxDays: number }

interface RequestedKey {
  permissions: readonly string[]
  expiresAt: Date | undefined
}

/**
 * Whether an owner with these entitlements may create a key.
 *
 * @param now by the database's clock
 */
export function evaluateNewKey(
  { permissions, expiresAt }: RequestedKey,
  owner: Pick<Entitlements, 'permissions' | 'features' | 'plan'>,
  { now, maxDays }: { now: Date; maxDays: number },
): KeyRejection | { kind: 'allowed'; expiresAt: Date } {
  if (!owner.features.includes(apiKeyFeature)) return { kind: 'lacks_feature', plan: owner.plan }
  const missing = permissions.filter((permission) => !owner.permissions.includes(permission))
  if (missing.length > 0) return { kind: 'lacks_permission', missing }
  const latest = new Date(now.getTime() + maxDays * 86_400_000)
  if (expiresAt && expiresAt <= now) return { kind: 'expires_too_early' }
  if (expiresAt && expiresAt > latest) return { kind: 'expires_too_late', maxDays }
  return { kind: 'allowed', expiresAt: expiresAt ?? latest }
}

/** The permissions of a key that its owner has now. */
export const grantedPermissions = (
  ofKey: readonly string[],
  { permissions }: Pick<Entitlements, 'permissions'>,
): string[] => permissions.filter((permission) => ofKey.includes(permission))
