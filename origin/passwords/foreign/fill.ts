import bcrypt from 'bcryptjs'
import type { MonotonicMs } from '../../../shared/lib/time.ts'

/** bcrypt has no lower cost. */
const leastCost = 4

/**
 * The rounds of a bcrypt, each of which encrypts 521 blocks: two for each step of its cost. Its
 * start and end take as long as two and a half, as measured.
 */
export const roundsOf = (cost: number) => 2 ** (cost + 1) + 2.5

const leastRounds = roundsOf(leastCost)

/** Any valid salt without its cost. */
const saltBody = 'abcdefghijklmnopqrstuu'

/** Runs bcrypts of at most so many rounds together. @returns the rounds that it ran */
function runRounds(rounds: number): number {
  let done = 0
  while (rounds - done >= leastRounds / 2) {
    const cost = Math.max(leastCost, Math.floor(Math.log2((rounds - done) / 2)))
    bcrypt.hashSync('', `$2b$${String(cost).padStart(2, '0')}$${saltBody}`)
    done += roundsOf(cost)
  }
  return done
}

/** Makes a failed comparison that took `spent` rounds take as long as one of `target` rounds. */
export function fillRounds(target: number, spent: number): void {
  runRounds(target - spent)
}

/**
 * The same for work of another kind, which took from `startedAt` until now. The time of a round is
 * measured meanwhile in the same thread, so a busy machine slows both and the sum stays the same
 * share.
 */
export function fillSince(target: number, startedAt: MonotonicMs): void {
  const filledFrom = performance.now()
  const spentMs = filledFrom - startedAt
  let done = runRounds(Math.max(leastRounds, target / 32))
  while (true) {
    const msPerRound = (performance.now() - filledFrom) / done
    const left = target - spentMs / msPerRound - done
    if (left < leastRounds / 2) return
    done += runRounds(Math.min(left, target / 4))
  }
}
