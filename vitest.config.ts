import { defineConfig } from 'vitest/config'
import { poolerSuite } from './test/support/vitest/pooler-suite.ts'
import { retriedTests } from './test/support/vitest/retried-tests.ts'

// deploy/aws is a package of its own: npm run check:aws installs and tests it.
const exclude = ['**/node_modules/**', '.cache/**', '.gatehouse/**', 'deploy/aws/**']
const common = {
  testTimeout: 20_000,
  hookTimeout: 60_000,
  // A loop over nothing, or a `.then` that nobody waits for, checks nothing and fails.
  expect: { requireAssertions: true },
  setupFiles: 'test/support/vitest/fail-on-warnings.ts',
  // A shared CI machine may pause for longer than a test waits. `retriedTests` lists every retry.
  retry: process.env.CI ? 1 : 0,
}
const clockTests = '**/*.clock.test.ts'
const isBehindPooler = (process.env.TEST_POOLER ?? '') !== ''

export default defineConfig({
  test: {
    globalSetup: 'tools/servers/global-setup.ts',
    reporters: ['default', retriedTests],
    projects: [
      {
        test: {
          ...common,
          name: 'parallel',
          include: isBehindPooler ? poolerSuite : ['**/*.test.ts'],
          exclude: [...exclude, clockTests],
          maxWorkers: '100%',
          sequence: { groupOrder: 0 },
          // A busy machine delays an event by more than the default of one second.
          expect: { ...common.expect, poll: { timeout: 5000 } },
        },
      },
      {
        // These tests measure elapsed time or race a deadline: they run after all others, one file
        // at a time, so that no other test takes the processor from them.
        test: {
          ...common,
          name: 'clock',
          include: [clockTests],
          exclude,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
