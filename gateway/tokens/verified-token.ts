import type { Identity } from '../../shared/auth/claims.ts'
import type { Awaitable } from '../../shared/lib/async.ts'
import type { EpochSeconds } from '../../shared/lib/time.ts'
import type { InternedClaims, SharedPart } from './identity-interner.ts'

/**
 * An assertion in parts, joined for each request: the part that many users share takes more memory
 * than the others.
 */
export interface SignedAssertion {
  personalPart: string
  sharedPart: SharedPart
  signature: Awaitable<string>
  renewAt: EpochSeconds
  /**
   * Linked list over upstreams: most tokens go to one or two, and a map per token would take more
   * memory than its claims.
   */
  next: SignedAssertion | undefined
}

export interface VerifiedToken {
  identity: Identity
  /** Those claims of the identity that many tokens share. */
  internedClaims: InternedClaims
  expiresAt: EpochSeconds
  /** Assertions of this token, dropped with it. */
  assertion: SignedAssertion | undefined
}
