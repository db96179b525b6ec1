import { describe } from 'vitest'

/**
 * A suite that needs a thing not every machine has. CI has them all: there a missing one is a
 * failure, because a suite that nobody sees skipped proves nothing.
 */
export function describeWith(need: string, isThere: boolean) {
  if (!isThere && process.env.CI) throw new Error(`CI runs every suite, and there is no ${need}`)
  return describe.skipIf(!isThere)
}
