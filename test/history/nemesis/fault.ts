import type { Random } from '../random.ts'

/** A fault that the nemesis can make now. */
export interface PossibleFault {
  name: string
  /** Parts that have one fault at a time. */
  part: string
  /** Gateways that may miss news of revocations by the feed, or by the stream. */
  cutsFeed: readonly number[]
  cutsStream: readonly number[]
  begin: () => unknown
  /** Resolves when all servers concerned work again. */
  end: () => unknown
}

/** One fault of a kind, at a part that is drawn. */
export type FaultKind = (random: Random) => PossibleFault
