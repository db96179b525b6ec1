import { Problem } from '../../shared/http/errors.ts'

/**
 * Bounds the concurrent requests of each upstream. An upstream that hangs fills its own slots only,
 * and requests beyond them are rejected at once instead of waiting for their deadline.
 */
export function createConcurrency(maxConcurrent: number) {
  const inFlight = new Map<string, number>()

  return {
    /** @throws Problem `overloaded` where the upstream has no slot left */
    enter(upstream: string): void {
      const count = inFlight.get(upstream) ?? 0
      if (count >= maxConcurrent) throw new Problem('overloaded')
      inFlight.set(upstream, count + 1)
    },

    /** Called once for each `enter` that did not throw. */
    leave(upstream: string): void {
      inFlight.set(upstream, (inFlight.get(upstream) ?? 1) - 1)
    },

    inFlight: inFlight as ReadonlyMap<string, number>,
  }
}

export type Concurrency = ReturnType<typeof createConcurrency>
