import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { titlesOf } from '../support/source/test-titles.ts'

const rows = readFileSync('docs/security.md', 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| |'))
  .map((line) => line.slice(2, -2).split(' | '))
  .map(([promise = '', , shownBy = '']) => ({ promise, shownBy }))

/** `path` and then its words, each *between asterisks*. */
const evidence = rows.flatMap(({ promise, shownBy }) =>
  [...shownBy.matchAll(/`([^`]+\.ts)`((?: \*[^*]+\*,?)+)/g)].flatMap(([, path = '', words = '']) =>
    [...words.matchAll(/\*([^*]+)\*/g)].map(([, said = '']) => ({ promise, path, said })),
  ),
)

const range = (count: number, prefix = '') => Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`)

test('docs/security.md has each item of the bar, and each with what shows it', () => {
  const promises = rows.map(({ promise }) => promise)
  const numbers = promises.filter((promise) => /^I?\d+$/.test(promise))
  const later = numbers.slice(6 + 76).map(Number)
  expect(numbers).toEqual([...range(6, 'I'), ...range(76), ...later.map(String)])
  expect(later).toEqual([...new Set(later)].sort((a, b) => a - b))
  for (const { promise, shownBy } of rows)
    expect({ promise, isShown: evidence.some((each) => each.promise === promise), shownBy }).toMatchObject({
      isShown: true,
    })
})

test('docs/security.md names files that exist', () => {
  const paths = rows.flatMap(({ shownBy }) =>
    [...shownBy.matchAll(/`([\w./-]+\.(?:tsx?|js|sql|ya?ml))`/g)].map(([, path = '']) => path),
  )
  expect(paths.length).toBeGreaterThan(100)
  expect(paths.filter((path) => !existsSync(path))).toEqual([])
})

// Words in a comment or in a test that does not run show nothing.
test('docs/security.md quotes titles of tests that run', async () => {
  const titles = await titlesOf([...new Set(evidence.map(({ path }) => path))])
  const missing = evidence.filter(
    ({ path, said }) => !titles.get(path)?.some((title) => title.includes(said)),
  )
  expect(missing).toEqual([])
})
