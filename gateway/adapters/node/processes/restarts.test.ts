import { expect, test } from 'vitest'
import { failuresAfter, maxFailures, restartDelayMs } from './restarts.ts'

test('the wait before a restart doubles from 1 s to 30 s', () => {
  const delays = [1, 2, 3, 4, 5, 6, 7, 100].map(restartDelayMs)
  expect(delays).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
})

test('failures in a row are forgotten after 60 s of service', () => {
  expect(failuresAfter(0, undefined)).toBe(1)
  expect(failuresAfter(1, 59_999)).toBe(2)
  expect(failuresAfter(maxFailures, 60_000)).toBe(1)
})
