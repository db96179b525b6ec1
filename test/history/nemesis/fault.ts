import type { Fault } from '../history.ts'
import type { Random } from '../random.ts'

/** A fault that the nemesis can make now. */
export interface PossibleFault extends Omit<Fault, 'beganAt' | 'endedAt'> {
  begin: () => unknown
  /** Resolves when all servers concerned work again. */
  end: () => unknown
}

/** One fault of a kind, at a part that is drawn. */
export type FaultKind = (random: Random) => PossibleFault
