/** Invariants of docs/security.md, and promises beside them that clients depend on. */
export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'revocation bound' | 'no crash' | 'liveness'

export interface Violation {
  invariant: Invariant
  /** One sentence: what holds no longer. */
  rule: string
  /** Account concerned; undefined where it is all of them. */
  account?: string
  /** Operation that shows it: the last one where there are several. */
  operation?: number
}
