import { globSync, readFileSync } from 'node:fs'
import { matchesGlob } from 'node:path'
import { expect, test } from 'vitest'
import { leftOutBehindPooler, poolerSuite } from '../support/vitest/pooler-suite.ts'

const opensDatabase =
  /import [^;]*?\b(createTestDatabase|createFullStack|createTestOrigin|openKeyDatabase|openUpkeepDatabase|serviceUrl)\b/

const tests = globSync('{dev,examples,gateway,origin,shared,test,tools}/**/*.test.ts', {
  exclude: (path) => path.includes('node_modules'),
})

test('each test file that opens a database runs behind the pooler, or is left out for a reason', () => {
  const opening = tests.filter((path) => opensDatabase.test(readFileSync(path, 'utf8')))
  expect(opening.length).toBeGreaterThan(80)
  const patterns = [...poolerSuite, ...leftOutBehindPooler.flatMap(({ files }) => files)]
  expect(opening.filter((path) => !patterns.some((pattern) => matchesGlob(path, pattern)))).toEqual([])
})

test('each pattern of both lists fits a file', () => {
  const patterns = [...poolerSuite, ...leftOutBehindPooler.flatMap(({ files }) => files)]
  expect(patterns.filter((pattern) => !tests.some((path) => matchesGlob(path, pattern)))).toEqual([])
})
