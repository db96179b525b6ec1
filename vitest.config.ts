import { defineConfig } from 'vitest/config'
import { retriedTests } from './test/support/retried-tests.ts'

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', '.cache/**', '.gatehouse/**'],
    globalSetup: 'tools/servers/global-setup.ts',
    reporters: ['default', retriedTests],
    maxWorkers: '100%',
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // A shared machine may stand still for longer than a test waits: there a test may fail once,
    // and says so. Here it may not.
    retry: process.env.CI ? 1 : 0,
  },
})
