/**
 * A histogram in plain numbers: a few comparisons per value.
 */
export interface Histogram {
  /** Upper bounds, ascending; what is above the last is in `counts` too, at its end. */
  readonly bounds: readonly number[]
  /**
   * One count per bucket, not cumulative: a value counts in the first bucket whose bound is not
   * below it.
   */
  readonly counts: readonly number[]
  readonly sum: number
}

export function createHistogram(bounds: readonly number[]): Histogram & { add(value: number): void } {
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
