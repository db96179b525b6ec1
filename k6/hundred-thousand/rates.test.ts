import { describe, expect, test } from 'vitest'
import { findHighestRate } from './rates.ts'

async function search(limit: number, max = 10_000) {
  const tried: number[] = []
  async function holds(rate: number) {
    tried.push(rate)
    return rate <= limit
  }
  return { found: await findHighestRate({ max, step: 500, holds }), tried }
}

describe('the highest rate that keeps the promises', () => {
  test('is the one asked for where that holds, at one run', async () => {
    expect(await search(12_000)).toEqual({ found: 10_000, tried: [10_000] })
  })

  test.each([
    [7300, 7000],
    [9999, 9500],
    [500, 500],
    [499, 0],
  ])('of a machine that carries %i is %i, in six runs at most', async (limit, found) => {
    const searched = await search(limit)
    expect(searched.found).toBe(found)
    expect(searched.tried.length).toBeLessThanOrEqual(6)
  })

  test('is below one asked for that is no multiple of the step', async () => {
    expect((await search(7000, 7200)).found).toBe(7000)
  })
})
