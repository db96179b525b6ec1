import { type SharedClaims, sharedClaimsOf } from '../../shared/auth/assertion-format.ts'
import type { Identity } from '../../shared/auth/claims.ts'
import { createBoundedMap } from '../../shared/lib/bounded-map.ts'

/** The end of an assertion's payload for one upstream. */
export interface SharedPart {
  /** Upstream name. */
  audience: string
  encoded: string
}

/** Claims that many users have, once for all of them. */
export interface InternedClaims {
  /** null on a public route. */
  claims: SharedClaims | null
  /** By audience. */
  parts: Map<string, SharedPart>
}

/**
 * Shared claims follow from role and plan, so few differ. The map holds up to twice this (see
 * bounded-map.ts).
 */
const internedClaims = 500

/**
 * Gives identities one object layout, so that a hundred thousand take little memory and property
 * reads stay monomorphic. Equal shared claims are interned: copies would take most of the memory.
 */
export function createIdentityInterner() {
  const known = createBoundedMap<string, InternedClaims & { claims: SharedClaims }>(internedClaims)

  function intern(identity: Identity) {
    const claims = sharedClaimsOf(identity)
    const key = JSON.stringify(claims)
    const before = known.get(key)
    if (before) return before
    const interned = { claims, parts: new Map() }
    known.set(key, interned)
    return interned
  }

  return function compactIdentity(given: Identity): {
    identity: Required<Identity>
    internedClaims: InternedClaims
  } {
    const internedClaims = intern(given)
    const { claims } = internedClaims
    // Each property by name: for a spread copy V8 allocates a separate property store.
    const identity = {
      sub: given.sub,
      sid: given.sid,
      jti: given.jti,
      email: given.email,
      role: claims.role,
      level: claims.level,
      permissions: claims.permissions,
      plan: claims.plan,
      features: claims.features,
      quota: claims.quota,
      epoch: claims.epoch,
      amr: claims.amr,
      acr: claims.acr,
      auth_time: given.auth_time,
    }
    return { identity, internedClaims }
  }
}
