import { describe, expect, test } from 'vitest'
import type { Load } from './load-model.ts'
import { monthOf } from './month.ts'

const load = {
  gateways: 3,
  hashingCores: 1.7,
  refreshCores: 0.1,
  profileCores: 0.3,
  postgresCores: 0.3,
  storedBytes: 40e9,
  redisCores: 0.2,
  redisServers: 1,
  cells: 1,
} as Load

describe('a month', () => {
  test('is the sum of its services, at their list prices', () => {
    const { rows, total } = monthOf(load)
    expect(rows.map(({ what, dollars }) => [what, Math.round(dollars)])).toEqual([
      ['3 tasks', 108],
      ['3 tasks', 108],
      ['db.t4g.medium, 40 GB', 52],
      ['1 cache.t4g.small', 23],
      ['1 ALB', 16],
    ])
    expect(total).toBeCloseTo(
      rows.reduce((sum, { dollars }) => sum + dollars, 0),
      9,
    )
  })

  test('with standbys has each store twice', () => {
    const { rows, total, withStandbys } = monthOf(load)
    const stores = rows.filter(({ name }) => name === 'PostgreSQL' || name === 'Redis')
    expect(withStandbys - total).toBeCloseTo(
      stores.reduce((sum, { dollars }) => sum + dollars, 0),
      9,
    )
  })

  test('on ARM has cheaper tasks, and the same stores', () => {
    const { total, onArm } = monthOf(load)
    expect(Math.round(total - onArm)).toBe(43)
  })

  test('takes the smallest servers that carry the load', () => {
    const { rows } = monthOf({ ...load, postgresCores: 2.7, redisCores: 1.6, redisServers: 2 })
    expect(rows.map(({ what }) => what)).toEqual(
      expect.arrayContaining(['db.m7g.xlarge, 40 GB', '2 cache.m7g.large']),
    )
  })

  test('is refused where one PostgreSQL is not enough', () => {
    expect(() => monthOf({ ...load, postgresCores: 17 })).toThrow('one PostgreSQL is not enough')
    expect(() => monthOf({ ...load, cells: 2 })).toThrow('one PostgreSQL is not enough')
  })
})
