import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { percentile } from '../../bench/common/statistics.ts'
import { createLatencyHistogram } from './latency-histogram.ts'

describe('latencies of the generator', () => {
  test('percentiles are those of all values, to 1/64 above', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { minLength: 1 }),
        fc.constantFrom('p50', 'p90', 'p95', 'p99', 'p999'),
        (values, name) => {
          const histogram = createLatencyHistogram()
          for (const value of values) histogram.record(value)
          const exact = percentile(values, Number(`0.${name.slice(1)}`))
          const found = histogram.summary()[name as 'p50'] * 1000
          expect(found).toBeGreaterThanOrEqual(exact - 0.001)
          expect(found).toBeLessThanOrEqual(exact * (1 + 1 / 64) + 0.001)
        },
      ),
    )
  })

  test('mean, maximum and count are exact', () => {
    const histogram = createLatencyHistogram()
    for (const value of [1000, 2000, 600_000]) histogram.record(value)
    expect(histogram.summary()).toMatchObject({ count: 3, mean: 201, max: 600 })
  })

  test('starts again from zero', () => {
    const histogram = createLatencyHistogram()
    histogram.record(5_000_000)
    histogram.reset()
    expect(histogram.summary()).toEqual({
      count: 0,
      mean: 0,
      p50: 0,
      p90: 0,
      p95: 0,
      p99: 0,
      p999: 0,
      max: 0,
    })
  })
})
