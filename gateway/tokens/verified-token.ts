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

/** Usage of one limit by one user on one day, since the last report. */
export interface UsageEntry {
  userId: string
  /** In UTC. */
  day: string
  limit: string
  /** Tokens. */
  used: number
  /** The report that the entry goes to; an entry of an earlier one is not added to. */
  generation: number
}

export interface VerifiedToken {
  identity: Identity
  /** Those claims of the identity that many tokens share. */
  internedClaims: InternedClaims
  expiresAt: EpochSeconds
  /** Assertions of this token, dropped with it. */
  assertion: SignedAssertion | undefined
  /** Usage of the limit that the token's requests consumed last. */
  usage: UsageEntry | undefined
}
