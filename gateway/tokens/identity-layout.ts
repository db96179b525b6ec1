import type { Identity } from '../../shared/auth/claims.ts'
import { createInternedLists } from './interned-lists.ts'

/**
 * Lays identities out so that a hundred thousand of them take little memory, and all are read in
 * the same way.
 */
export function createCompactIdentity() {
  const intern = createInternedLists()

  return function compactIdentity(identity: Identity): Required<Identity> {
    // Each field by its name: of a copy with `...` V8 keeps most in an object of their own.
    return {
      sub: identity.sub,
      sid: identity.sid,
      jti: identity.jti,
      email: identity.email,
      role: identity.role,
      level: identity.level,
      permissions: intern(identity.permissions),
      plan: identity.plan,
      features: intern(identity.features),
      quota: identity.quota,
      epoch: identity.epoch,
    }
  }
}
