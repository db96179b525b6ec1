import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describeComparison, describeLoads } from './describe-load.ts'
import { fillPage, pages } from './pages.ts'
import { compareWithRun, readTenMinuteRun } from './ten-minute-run.ts'
import { readUnitCosts } from './unit-costs.ts'

/**
 * `npm run capacity -- --at-work 0.1 --users 5000000`: the tables of docs/scaling.md for other
 * numbers. `--write` renews all tables of the pages from the newest results.
 */

const {
  'at-work': atWorkText,
  users,
  write,
} = parseArgs({
  options: {
    'at-work': { type: 'string', default: '1' },
    write: { type: 'boolean', default: false },
    users: { type: 'string', multiple: true, default: ['100000', '1000000', '10000000', '100000000'] },
  },
}).values

const atWork = Number(atWorkText)
const counts = users.map(Number)
if (!(atWork > 0 && atWork <= 1) || !counts.every((count) => Number.isSafeInteger(count) && count > 0)) {
  process.stderr.write('--at-work is a share above 0, up to 1; --users a whole number, repeatable.\n')
  process.exit(1)
}

const costs = readUnitCosts()
if (write) {
  for (const [file, tables] of Object.entries(pages)) {
    const page = join(import.meta.dirname, '../..', file)
    writeFileSync(page, fillPage(readFileSync(page, 'utf8'), tables, costs))
    process.stdout.write(`${file} has the newest figures.\n`)
  }
  process.exit()
}
const populations = counts.map((count) => ({ users: count, atWork }))
process.stdout.write(`${describeLoads(populations, costs)}\n\n`)
process.stdout.write(`${describeComparison(compareWithRun(readTenMinuteRun(), costs))}\n`)
