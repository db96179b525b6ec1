import { inject, type TestContext } from 'vitest'

/**
 * Skips a test of what a pooler in transaction mode changes, in a run with
 * `TEST_POOLER=transaction`: timeouts that a session sets for itself, and the server's own response
 * to a login. `origin/db/pooler.clock.test.ts` has what holds there.
 */
export function skipBehindPooler({ skip }: TestContext): void {
  skip(inject('poolerUrl') !== '', 'it needs a session of its own, and the pooler shares sessions')
}
