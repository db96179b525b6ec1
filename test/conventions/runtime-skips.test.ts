import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { skips } from '../runtimes/skips.ts'

// The runtimes' own run says so too, but a test is renamed without it.
test('tests that a runtime skips are there by these names', () => {
  const source = globSync('test/runtimes/suite/*.suite.ts')
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n')
  const names = Object.values(skips).flatMap((named) => Object.keys(named))
  expect(names.length).toBeGreaterThan(3)
  const isThere = (name: string) =>
    ["'", '"', '`'].some((quote) => source.includes(`${quote}${name}${quote}`))
  expect(names.filter((name) => !isThere(name))).toEqual([])
})
