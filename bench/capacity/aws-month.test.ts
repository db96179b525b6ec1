import { expect, test } from 'vitest'
import { awsRowsOf, firewallDollars } from './aws-month.ts'
import { loadOf } from './load-model.ts'
import { monthOf } from './month.ts'
import { readUnitCosts } from './unit-costs.ts'

const costs = readUnitCosts()
const load = loadOf({ users: 100_000, atWork: 0.1 }, costs)

test('a month on AWS costs what the load needs with standbys, and more for what the stacks add', () => {
  const rows = awsRowsOf(load)
  expect(rows[0]?.dollars).toBe(monthOf(load).withStandbys)
  for (const { dollars } of rows) expect(dollars).toBeGreaterThanOrEqual(0)
})

test('no row but those of requests grows with them', () => {
  const more = loadOf({ users: 200_000, atWork: 0.1 }, costs)
  const fixed = ['NAT, endpoints, addresses', 'metrics, alarms, dashboard, keys, secrets']
  const fixedOf = (each: typeof load) => awsRowsOf(each).filter(({ name }) => fixed.includes(name))
  expect(fixedOf(more)).toEqual(fixedOf(load))
  expect(fixedOf(load)).toHaveLength(2)
  expect(firewallDollars(more)).toBeGreaterThan(firewallDollars(load))
})
