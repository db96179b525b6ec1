import { inject, type TestContext } from 'vitest'

/**
 * Skips a test of what a pooler in transaction mode changes, in a run with
 * `TEST_POOLER=transaction`: timeouts that a session sets for itself, the server's own response to
 * a login, and what clients see while the server is gone, which the pooler decides.
 * `origin/db/pooler.clock.test.ts` has what holds there.
 */
export function skipBehindPooler({ skip }: TestContext): void {
  skip(inject('poolerUrl') !== '', 'it needs a session of its own, and the pooler shares sessions')
}
