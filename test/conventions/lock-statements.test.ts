import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

/**
 * SQL statements that wait for row locks, in the source of the services. SKIP LOCKED waits for
 * nothing.
 */
const statements = globSync('{origin,dev}/**/*.ts', { exclude: (path) => path.endsWith('.test.ts') }).flatMap(
  (path) =>
    [...readFileSync(path, 'utf8').matchAll(/sql(?:<[^`]*>)?`([^`]*)`/g)]
      .map(([, text = '']) => text)
      .filter((text) => /\bfor (no key )?update\b(?! skip locked)/.test(text))
      .map((text) => ({ path, text })),
)

/**
 * A statement that had to wait looks again at the row it locks, and at nothing else: rows that it
 * joins, and what subqueries and functions gave, are of the moment before the wait. So it locks,
 * and the next statement reads.
 */
test('a statement that waits for a row lock reads that row and nothing else', () => {
  expect(statements.length).toBeGreaterThan(8)
  const reading = statements.filter(
    ({ text }) =>
      /\bjoin\b|\barray\(|_timestamp\(|\$\{\w+\(sql\)\} as/.test(text) || text.split(/\bselect\b/).length > 2,
  )
  expect(reading).toEqual([])
})
