import type { Identity } from '../../shared/auth/claims.ts'
import type { Awaitable } from '../../shared/lib/async.ts'

export interface SignedAssertion {
  /** The upstream that it is for. */
  audience: string
  jwt: Awaitable<string>
  /** Seconds since 1970. */
  renewAt: number
  /**
   * That of another upstream: most tokens go to one or two, and a map for each token would take
   * more memory than its claims.
   */
  next: SignedAssertion | undefined
}

export interface VerifiedToken {
  identity: Identity
  /** Seconds since 1970. */
  expiresAt: number
  /** What upstreams were told of it: kept here to be forgotten together. */
  assertion: SignedAssertion | undefined
}
