import { describe, expect, test } from 'vitest'
import { drawKind, kinds, shareOf } from './mix.ts'

describe('the mix of requests', () => {
  test('is whole', () => {
    expect(kinds.reduce((sum, kind) => sum + shareOf(kind), 0)).toBeCloseTo(1, 10)
  })

  test('is what draws come to', () => {
    const draws = 100_000
    const drawn = Array.from({ length: draws }, (_, n) => drawKind((n + 0.5) / draws))
    for (const kind of kinds)
      expect(drawn.filter((found) => found === kind).length / draws).toBeCloseTo(shareOf(kind), 4)
  })

  test('is the mix of users that call every 10 s, refresh every 15 min and log in every 8 h', () => {
    expect(1 / shareOf('refresh')).toBeCloseTo(900 / 10, 0)
    expect(1 / shareOf('login') / ((8 * 3600) / 10)).toBeGreaterThan(0.8)
    expect(1 / shareOf('login') / ((8 * 3600) / 10)).toBeLessThan(1.2)
  })
})
