import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { shareOf } from '../client/mix.ts'
import { averageCost, type Costs, describeCosts } from './costs.ts'

const nothing = { gateway: 0, origin: 0, postgres: 0, redis: 0, statements: 0, roundTrips: 0 }
const read = { ...nothing, gateway: 120, redis: 20, roundTrips: 1 }
const costs: Costs = {
  feed: read,
  me: { ...read, origin: 300, postgres: 60, statements: 1 },
  refresh: { ...read, origin: 600, postgres: 400, statements: 1 },
  login: { ...read, origin: 600_000, postgres: 2000, statements: 10 },
}

test('a request of the mix costs what its kinds do, each by its share', () => {
  const average = averageCost(costs)
  expect(average.gateway).toBeCloseTo(120, 10)
  expect(average.postgres).toBeCloseTo(
    shareOf('me') * 60 + shareOf('refresh') * 400 + shareOf('login') * 2000,
    10,
  )
})

test('the table has the rows of k6/README.md, which docs/capacity.md reads', () => {
  const namesOf = (text: string) => [...text.matchAll(/^\| ([^|]+) \|/gm)].map(([, name]) => name)
  const page = namesOf(readFileSync('k6/README.md', 'utf8'))
  const names = namesOf(describeCosts(costs))
  expect(names.length).toBeGreaterThan(6)
  expect(page).toEqual(expect.arrayContaining(names))
  expect(describeCosts(costs)).toContain('| gateway, us | 120 | 120 | 120 | 120 | 120 |')
})
