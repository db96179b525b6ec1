import type { Identity } from '../../shared/auth/claims.ts'
import type { Awaitable } from '../../shared/lib/async.ts'
import type { EpochSeconds } from '../../shared/lib/time.ts'

export interface SignedAssertion {
  /** Upstream name. */
  audience: string
  jwt: Awaitable<string>
  renewAt: EpochSeconds
  /**
   * Linked list over upstreams: most tokens go to one or two, and a map per token would take more
   * memory than its claims.
   */
  next: SignedAssertion | undefined
}

export interface VerifiedToken {
  identity: Identity
  expiresAt: EpochSeconds
  /** Assertions of this token, dropped with it. */
  assertion: SignedAssertion | undefined
}
