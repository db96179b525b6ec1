import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

/** The types of points in time stand here. */
const definitions = 'shared/lib/time.ts'

/** Names of points in time, declared as bare numbers. */
const bareNumber = /\b(now|since|until|exp|iat|nbf|\w+(At|Until))\??: (\(\) => )?number\b/

/** A comment where a type would say the same. */
const explained = /^\s*(\/?\*\*?|\/\/).*\bsince 1970/

test('points in time have the types EpochMs, EpochSeconds or MonotonicMs', () => {
  const sources = globSync('{gateway,origin,shared}/**/*.ts').filter(
    (path) => !path.endsWith('.test.ts') && path !== definitions,
  )
  expect(sources.length).toBeGreaterThan(250)
  const bare = sources.flatMap((path) =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => bareNumber.test(line) || explained.test(line))
      .map((line) => `${path}: ${line.trim()}`),
  )
  expect(bare).toEqual([])
})
