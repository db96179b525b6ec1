import { expect, test } from 'vitest'
import { createHistogram } from './histogram.ts'

test('a value is counted under the first bound that it does not exceed', () => {
  const distribution = createHistogram([1, 5])
  for (const value of [0, 1, 1.5, 5, 6, 100]) distribution.add(value)
  expect(distribution.counts).toEqual([2, 2, 2])
  expect(distribution.sum).toBe(113.5)
})

test('what never had a value counts none', () => {
  expect(createHistogram([1])).toMatchObject({ bounds: [1], counts: [0, 0], sum: 0 })
})
