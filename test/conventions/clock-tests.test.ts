import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const files = globSync('**/*.test.ts', { exclude: ['**/node_modules/**', '.cache/**', '.gatehouse/**'] })

test('tests that measure elapsed time are *.clock.test.ts, which run one file at a time', () => {
  const measures = (path: string) => /\bperformance\.now\(/.test(readFileSync(path, 'utf8'))
  expect(files.filter((path) => path.endsWith('.clock.test.ts')).length).toBeGreaterThan(10)
  const untagged = files.filter((path) => !path.endsWith('.clock.test.ts') && measures(path))
  expect(untagged).toEqual([])
})
