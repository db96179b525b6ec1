import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createPathMatcher } from './path-matcher.ts'

const segmentsOf = (path: string) => path.split('/').slice(1)

/** Whether a pattern fits a path, one segment after the other. */
function fits(pattern: string, path: string): boolean {
  const parts = segmentsOf(pattern)
  const segments = segmentsOf(path)
  const rest = parts.at(-1)?.endsWith('...}')
  if (rest && segments.length > parts.length && segments.at(-1) === '') segments.pop()
  if (rest ? segments.length < parts.length : segments.length !== parts.length) return false
  return parts.every((part, i) => (part.startsWith('{') ? segments[i] !== '' : part === segments[i]))
}

/** Precedence of a pattern: of two that fit, the lower text wins. */
const rank = (pattern: string) =>
  segmentsOf(pattern)
    .map((part) => (!part.startsWith('{') ? '0' : part.endsWith('...}') ? '2' : '1'))
    .join('')

/** The slow reference: all patterns that fit, and of them the first in precedence. */
const referenceFind = (patterns: readonly string[], path: string) =>
  patterns
    .filter((pattern) => fits(pattern, path))
    .sort((a, b) => (rank(a) < rank(b) ? -1 : 1))
    .at(0)

const word = fc.constantFrom('a', 'b', 'ab', 'c')
const pattern = fc
  .tuple(
    fc.array(fc.oneof({ weight: 2, arbitrary: word }, { weight: 1, arbitrary: fc.constant('{x}') }), {
      maxLength: 4,
    }),
    fc.oneof(word, fc.constantFrom('{x}', '{x...}')),
  )
  .map(([segments, last]) => `/${[...segments, last].join('/')}`)
const path = fc
  .tuple(fc.array(fc.constantFrom('a', 'b', 'ab', 'c', 'd'), { minLength: 1, maxLength: 6 }), fc.boolean())
  .map(([segments, endsInSlash]) => `/${segments.join('/')}${endsInSlash ? '/' : ''}`)

test('the matcher finds the pattern that a slow reference finds', () => {
  let found = 0
  fc.assert(
    fc.property(
      fc.uniqueArray(pattern, { minLength: 1, maxLength: 12 }),
      fc.array(path, { minLength: 5, maxLength: 20 }),
      (patterns, paths) => {
        const matcher = createPathMatcher<string>()
        for (const each of patterns) matcher.add(each, each)
        for (const each of paths) {
          const expected = referenceFind(patterns, each)
          if (expected) found++
          expect({ patterns, path: each, found: matcher.find(each) }).toEqual({
            patterns,
            path: each,
            found: expected,
          })
        }
      },
    ),
    { numRuns: 3000 },
  )
  expect(found).toBeGreaterThan(5000)
})
