import { parseArgs } from 'node:util'
import { describeComparison, describeLoads } from './describe-load.ts'
import { compareWithRun, readTenMinuteRun } from './ten-minute-run.ts'
import { readUnitCosts } from './unit-costs.ts'

/** `npm run capacity -- --at-work 0.1 --users 5000000`: the tables of docs/scaling.md. */

const { 'at-work': atWorkText, users } = parseArgs({
  options: {
    'at-work': { type: 'string', default: '1' },
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
const populations = counts.map((count) => ({ users: count, atWork }))
process.stdout.write(`${describeLoads(populations, costs)}\n\n`)
process.stdout.write(`${describeComparison(compareWithRun(readTenMinuteRun(), costs))}\n`)
