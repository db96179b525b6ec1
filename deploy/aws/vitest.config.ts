import { defineConfig } from 'vitest/config'

/** Tests of this package need no servers, unlike those of the services. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { requireAssertions: true },
  },
})
