import type { Reporter } from 'vitest/node'

/**
 * Lists the tests that passed at a second try only, at the end of a run: one that needs it in two
 * of ten runs is fixed.
 */
export const retriedTests: Reporter = {
  onTestRunEnd(modules) {
    const names = modules
      .flatMap((module) => [...module.children.allTests('passed')])
      .filter((test) => (test.diagnostic()?.retryCount ?? 0) > 0)
      .map((test) => `  ${test.module.relativeModuleId}: ${test.fullName}`)
    if (names.length > 0) process.stdout.write(`\nPassed at a second try:\n${names.join('\n')}\n`)
  },
}
