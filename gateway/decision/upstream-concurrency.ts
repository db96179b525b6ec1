import { Problem } from '../../shared/http/errors.ts'

/**
 * Bounds the concurrent requests of each upstream. An upstream that hangs fills its own slots only,
 * and requests beyond them are rejected at once instead of waiting for their deadline.
 */
export function createConcurrency(most: number) {
  const underway = new Map<string, number>()

  return {
    /** @throws Problem `overloaded` where the upstream has no slot left */
    enter(upstream: string): void {
      const count = underway.get(upstream) ?? 0
      if (count >= most) throw new Problem('overloaded')
      underway.set(upstream, count + 1)
    },

    /** Called once for each `enter` that did not throw. */
    leave(upstream: string): void {
      underway.set(upstream, (underway.get(upstream) ?? 1) - 1)
    },

    underway: underway as ReadonlyMap<string, number>,
  }
}

export type Concurrency = ReturnType<typeof createConcurrency>
