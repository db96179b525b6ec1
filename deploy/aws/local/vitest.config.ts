import { defineConfig } from 'vitest/config'

/** `npm run check:aws:tasks`: starts servers, so it is apart from `npm run check:aws`. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { requireAssertions: true },
  },
})
