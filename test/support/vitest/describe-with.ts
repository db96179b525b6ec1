import { describe } from 'vitest'

/**
 * A suite with a requirement that not every machine meets. CI meets all: there an unmet one is a
 * failure, as a suite that is skipped unseen proves nothing.
 */
export function describeWith(need: string, isThere: boolean) {
  if (!isThere && process.env.CI) throw new Error(`CI runs every suite, and there is no ${need}`)
  return describe.skipIf(!isThere)
}
