import { type SharedClaims, sharedClaimsOf } from '../../shared/auth/assertion-format.ts'
import type { Identity } from '../../shared/auth/claims.ts'
import { createBoundedMap } from '../../shared/lib/bounded-map.ts'
import type { EpochSeconds } from '../../shared/lib/time.ts'

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
 * The claims of a token. Those that many users share are read where they are interned: a reference
 * to each would take 72 bytes a user.
 */
class CompactIdentity implements Identity {
  readonly sub: string
  readonly sid: string
  readonly jti: string
  readonly email: string
  readonly auth_time: EpochSeconds
  private readonly shared: SharedClaims

  constructor({ sub, sid, jti, email, auth_time }: Identity, shared: SharedClaims) {
    this.sub = sub
    this.sid = sid
    this.jti = jti
    this.email = email
    this.auth_time = auth_time
    this.shared = shared
  }

  get role() {
    return this.shared.role
  }

  get level() {
    return this.shared.level
  }

  get permissions() {
    return this.shared.permissions
  }

  get plan() {
    return this.shared.plan
  }

  get features() {
    return this.shared.features
  }

  get quota() {
    return this.shared.quota
  }

  get epoch() {
    return this.shared.epoch
  }

  get amr() {
    return this.shared.amr
  }

  get acr() {
    return this.shared.acr
  }
}

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

  return function compactIdentity(given: Identity): { identity: Identity; internedClaims: InternedClaims } {
    const internedClaims = intern(given)
    return { identity: new CompactIdentity(given, internedClaims.claims), internedClaims }
  }
}

/** The claims as a plain object, for code that lists or copies them. */
export const toPlainIdentity = ({
  sub,
  sid,
  jti,
  email,
  role,
  level,
  permissions,
  plan,
  features,
  quota,
  epoch,
  amr,
  acr,
  auth_time,
}: Identity): Identity => ({
  sub,
  sid,
  jti,
  email,
  role,
  level,
  permissions,
  plan,
  features,
  quota,
  epoch,
  amr,
  acr,
  auth_time,
})
