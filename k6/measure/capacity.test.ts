import { describe, expect, test } from 'vitest'
import { shareOf } from '../client/mix.ts'
import { type Costs, capacityOf, describeCapacity } from './capacity.ts'

const nothing = { gateway: 0, origin: 0, postgres: 0, redis: 0, statements: 0, roundTrips: 0 }
const read = { ...nothing, gateway: 120, redis: 20, roundTrips: 1 }
const costs: Costs = {
  feed: read,
  me: { ...read, origin: 300, postgres: 60, statements: 1 },
  refresh: { ...read, origin: 600, postgres: 400, statements: 1 },
  login: { ...read, origin: 600_000, postgres: 2000, statements: 10 },
}

describe('from costs to 100,000 users at 10,000 requests/s', () => {
  test('processor time of the mix makes busy cores', () => {
    const { busy } = capacityOf(costs)
    expect(busy.gateway).toBeCloseTo(1.2, 10)
    expect(busy.redis).toBeCloseTo(0.2, 10)
    expect(busy.postgres).toBeCloseTo(
      (shareOf('me') * 60 + shareOf('refresh') * 400 + shareOf('login') * 2000) / 100,
      10,
    )
  })

  test('gateways are whole processes, with room for bursts', () => {
    expect(capacityOf(costs).gateways).toBe(2)
    const dearer = { ...costs, feed: { ...read, gateway: 121 } }
    expect(capacityOf(dearer).gateways).toBe(3)
  })

  test('a store that does not scale out is full where one core, or its cores, are busy', () => {
    expect(capacityOf(costs).limits.redis).toBeCloseTo(50_000, 6)
  })

  test('a morning in which everybody logs in within ten minutes takes cores of its own', () => {
    expect(capacityOf(costs).surgeCores).toBeCloseTo(100, 10)
  })

  test('is printed as tables', () => {
    expect(describeCapacity(costs)).toContain('| gateways | 1.20 | 2 processes of one core |')
  })
})
