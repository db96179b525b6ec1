import { expect, test } from 'vitest'
import type { Take } from '../ports.ts'
import { readTaken } from './rate-limit-script.ts'

const take: Take = { key: 'user:ada', quota: 3, windowSeconds: 60, permits: 1, outage: 'share' }

test('two numbers a key: what was used before, and the milliseconds left', () => {
  expect(readTaken([take, take], '2 59000 3 1')).toEqual([
    { granted: 1, used: 3, quota: 3, resetMs: 59_000, shared: true },
    { granted: 0, used: 3, quota: 3, resetMs: 1, shared: true },
  ])
  expect(readTaken([], '')).toEqual([])
})

// An empty piece would be read as nothing used.
test.each(['', ' 60000', '0', '0 60000 0', '0  60000', '0 6e4', '0 nan', '0x1 60000', '0 60000\n'])(
  '%j is refused',
  (answer) => {
    expect(() => readTaken([take], answer)).toThrow('cannot be read')
  },
)
