import { expect, test } from 'vitest'
import type { ConsumeRequest } from '../ports.ts'
import { readResults } from './rate-limit-script.ts'

const request: ConsumeRequest = {
  key: 'user:ada',
  quota: 3,
  windowSeconds: 60,
  tokens: 1,
  withoutStore: 'share',
}

test('two numbers per key: tokens used before, and the milliseconds left', () => {
  expect(readResults([request, request], '2 59000 3 1')).toEqual([
    { granted: 1, used: 3, quota: 3, resetMs: 59_000, bucketMs: 59_000, shared: true },
    { granted: 0, used: 3, quota: 3, resetMs: 1, bucketMs: 1, shared: true },
  ])
  expect(readResults([], '')).toEqual([])
})

test('a sliding window has a third number: the milliseconds until its bucket ends', () => {
  const sliding = { ...request, isSliding: true }
  expect(readResults([sliding, request], '3 61000 1000 0 60000')).toEqual([
    { granted: 0, used: 3, quota: 3, resetMs: 61_000, bucketMs: 1000, shared: true },
    { granted: 1, used: 1, quota: 3, resetMs: 60_000, bucketMs: 60_000, shared: true },
  ])
  expect(() => readResults([sliding], '3 61000')).toThrow('cannot be read')
})

// An empty piece would be read as nothing used.
test.each(['', ' 60000', '0', '0 60000 0', '0  60000', '0 6e4', '0 nan', '0x1 60000', '0 60000\n'])(
  '%j is rejected',
  (answer) => {
    expect(() => readResults([request], answer)).toThrow('cannot be read')
  },
)
