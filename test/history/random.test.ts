import { expect, test } from 'vitest'
import { createRandom } from './random.ts'

const draw = (seed: number) => {
  const random = createRandom(seed)
  return Array.from({ length: 20 }, () => random.between(0, 1e6))
}

test('a seed names one sequence', () => {
  expect(draw(7)).toEqual(draw(7))
  expect(draw(7)).not.toEqual(draw(8))
})

test('names are drawn as often as their weights say', () => {
  const random = createRandom(1)
  const drawn = Array.from({ length: 4000 }, () => random.weighted({ often: 3, seldom: 1, never: 0 }))
  expect(drawn.filter((name) => name === 'often').length / 4000).toBeCloseTo(0.75, 1)
  expect(drawn).not.toContain('never')
})

test('draws of a fork do not change those of its origin', () => {
  const [one, other] = [createRandom(1), createRandom(1)]
  one.fork().between(0, 9)
  other.fork()
  expect(one.between(0, 1e6)).toBe(other.between(0, 1e6))
})
