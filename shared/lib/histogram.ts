/**
 * How many values fell under each bound, and what they add up to: a histogram in plain numbers,
 * which costs a few comparisons a value.
 */
export interface Distribution {
  /** Upper bounds, ascending; what is above the last is in `counts` too, at its end. */
  readonly bounds: readonly number[]
  /** Each value is counted once, in the first bucket that it fits into. */
  readonly counts: readonly number[]
  readonly sum: number
}

export function createDistribution(bounds: readonly number[]): Distribution & { add(value: number): void } {
  const counts = new Array<number>(bounds.length + 1).fill(0)
  let sum = 0
  return {
    bounds,
    counts,
    get sum() {
      return sum
    },
    add(value: number) {
      let index = 0
      while (index < bounds.length && value > (bounds[index] as number)) index++
      counts[index] = (counts[index] as number) + 1
      sum += value
    },
  }
}
