import type { RateLimiterAbstract } from 'rate-limiter-flexible'
import type { Counter } from '../ports.ts'

/** The quota differs by plan, so the store only counts and never refuses: what is too much is for the limiter to say. */
const neverRefuse = Number.MAX_SAFE_INTEGER

/** A counter from rate-limiter-flexible's stores, which fix the window per instance: one instance a window. */
export function createWindows(
  create: (windowSeconds: number, points: number) => RateLimiterAbstract,
  shared: boolean,
): Counter {
  const byWindow = new Map<number, RateLimiterAbstract>()
  return {
    async add(key, windowSeconds) {
      let store = byWindow.get(windowSeconds)
      if (!store) {
        store = create(windowSeconds, neverRefuse)
        byWindow.set(windowSeconds, store)
      }
      const { consumedPoints, msBeforeNext } = await store.consume(key)
      return { used: consumedPoints, resetMs: msBeforeNext, shared }
    },
  }
}
