import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { reportOf } from './drill/report.ts'
import { runDrill } from './drill/run-drill.ts'

/** Each takes a minute; others are for `npm run drill`. */
const seeds = [1]

test.each(seeds)(
  'drill %i: no invariant is violated while parts fail, and all clients are served afterwards',
  {
    timeout: 400_000,
  },
  async (seed) => {
    const historyFile = join(tmpdir(), `gatehouse-drill-${seed}.jsonl`)
    const result = await runDrill({ seed, seconds: 60, historyFile })
    expect(result.violations, reportOf(result, seed)).toEqual([])
    expect(result.history.faults.length).toBeGreaterThan(5)
    const answered = result.history.operations.filter(({ outcome }) => outcome === 'ok')
    expect(answered.length).toBeGreaterThan(50)
  },
)
