import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Problem } from '../../shared/http/errors.ts'
import { createBodyLimiter } from './body-limiter.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const refusal = () => new Problem('rate_limited')

test('429 rate_limited: a body beyond the bound ends the oldest body of the same key', () => {
  const bodies = createBodyLimiter({ maxBodies: 2, maxMs: 10_000 })
  const other = bodies.begin('b', refusal)
  const [first, second, third] = [1, 2, 3].map(() => bodies.begin('a', refusal))
  expect(first?.signal.reason).toMatchObject({ code: 'rate_limited' })
  for (const { signal } of [second, third, other].filter((body) => body !== undefined))
    expect(signal.aborted).toBe(false)
  first?.end()
  second?.end()
  bodies.begin('a', refusal)
  expect(third?.signal.aborted).toBe(false)
})

test('408 body_timeout: a body that takes longer than the bound', () => {
  const bodies = createBodyLimiter({ maxBodies: 2, maxMs: 10_000 })
  const slow = bodies.begin('a', refusal)
  const quick = bodies.begin('a', refusal)
  quick.end()
  vi.advanceTimersByTime(10_000)
  expect(slow.signal.reason).toMatchObject({ code: 'body_timeout' })
  expect(quick.signal.aborted).toBe(false)
  expect(bodies.size).toBe(0)
  expect(vi.getTimerCount()).toBe(0)
})
