import { RateLimiterMemory } from 'rate-limiter-flexible'
import type { Counter } from '../ports.ts'
import { createWindows } from './windows.ts'

/**
 * Fixed windows in this process.
 *
 * @param shared true where this process is the only gateway, so that its count is everybody's
 */
export function createMemoryCounter({ shared }: { shared: boolean }): Counter {
  return createWindows(
    (windowSeconds, points) => new RateLimiterMemory({ duration: windowSeconds, points }),
    shared,
  )
}
