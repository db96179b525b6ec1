import { describeAwsMonths } from './aws-month.ts'
import { describeComparison, describeLoads } from './describe-load.ts'
import { describeGatewayCosts, describeMachines } from './describe-machines.ts'
import { describeLoadTest, readLoadTest } from './load-test.ts'
import { describeMonths } from './month.ts'
import { compareWithRun, readTenMinuteRun } from './ten-minute-run.ts'
import type { UnitCosts } from './unit-costs.ts'

const populations = (...users: number[]) => users.map((count) => ({ users: count, atWork: 1 }))

/** Tables of pages, by the name of their place. */
export const pages: Record<string, Record<string, (costs: UnitCosts) => string>> = {
  'docs/capacity.md': {
    'gateway-costs': describeGatewayCosts,
    machines: (costs) => describeMachines([1e4, 1e5, 1e6], costs),
    'load-test': (costs) => {
      const run = readLoadTest()
      return run ? describeLoadTest(run, costs) : ''
    },
    month: (costs) => describeMonths(populations(1e4, 1e5, 1e6), costs),
  },
  'docs/aws.md': {
    // One account in ten at work at once, as the plan of the replaced system had no rate at all.
    month: (costs) =>
      describeAwsMonths(
        [1e4, 1e5, 1e6].map((users) => ({ users, atWork: 0.1 })),
        costs,
      ),
  },
  'docs/scaling.md': {
    loads: (costs) => describeLoads(populations(1e5, 1e6, 1e7, 1e8), costs),
    'ten-minutes': (costs) => describeComparison(compareWithRun(readTenMinuteRun(), costs)),
  },
}

/** @throws Error where the page lacks a place */
export function fillPage(
  text: string,
  tables: Readonly<Record<string, (costs: UnitCosts) => string>>,
  costs: UnitCosts,
): string {
  return Object.entries(tables).reduce((filled, [name, describe]) => {
    const place = new RegExp(`(<!-- capacity: ${name} -->\\n)[^]*?(<!-- end -->)`)
    if (!place.test(filled)) throw new Error(`the page has no place <!-- capacity: ${name} -->`)
    const table = describe(costs)
    return filled.replace(place, (_, begin, end) => `${begin}${table === '' ? '' : `\n${table}\n\n`}${end}`)
  }, text)
}
