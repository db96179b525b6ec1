import { Problem } from '../../shared/http/errors.ts'

/**
 * Bounds the requests under way to each upstream: one that hangs fills its own places and nobody
 * else's, and what comes beyond them is told at once instead of waiting in line for its deadline.
 */
export function createConcurrency(most: number) {
  const underway = new Map<string, number>()

  return {
    /** @throws Problem `overloaded` where the upstream has no place left */
    enter(upstream: string): void {
      const count = underway.get(upstream) ?? 0
      if (count >= most) throw new Problem('overloaded')
      underway.set(upstream, count + 1)
    },

    /** Once for each `enter` that did not throw. */
    leave(upstream: string): void {
      underway.set(upstream, (underway.get(upstream) ?? 1) - 1)
    },

    underway: underway as ReadonlyMap<string, number>,
  }
}

export type Concurrency = ReturnType<typeof createConcurrency>
