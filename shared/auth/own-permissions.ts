/**
 * The permissions that Gatehouse's own routes require. Every catalogue has them: a gateway does not
 * start where a row of its policy table requires a permission that the origin does not know.
 */
export const ownPermissions = [
  'audit.read',
  'profile.read',
  'profile.write',
  'roles.manage',
  'subscriptions.manage',
  'system.manage',
  'users.manage',
  'users.read',
] as const
