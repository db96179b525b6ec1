const ascending = (values: readonly number[]) => values.toSorted((one, other) => one - other)

/** By nearest rank. @param share 0.99 for p99 */
export function percentile(values: readonly number[], share: number): number {
  const sorted = ascending(values)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

export const median = (values: readonly number[]) => percentile(values, 0.5)

interface Comparison {
  /**
   * How much later the first is than the second, as the median of all differences between them
   * (Hodges and Lehmann).
   */
  shift: number
  /** Probability of ranks at least this unlike, were both drawn from one distribution. */
  p: number
}

/**
 * Mann and Whitney's test, two-sided, by the normal approximation with ties corrected: good from
 * some twenty values a side. It asks whether the one tends to be larger, and a few wild outliers do
 * not sway it.
 */
export function compare(first: readonly number[], second: readonly number[]): Comparison {
  const all = ascending([...first, ...second])
  const rankOf = new Map<number, number>()
  let ties = 0
  for (let start = 0; start < all.length; ) {
    const value = all[start] as number
    let end = start
    while (all[end] === value) end++
    rankOf.set(value, (start + 1 + end) / 2)
    ties += (end - start) ** 3 - (end - start)
    start = end
  }
  const ranks = first.reduce((sum, value) => sum + (rankOf.get(value) ?? 0), 0)
  const [n, m, total] = [first.length, second.length, all.length]
  const u = ranks - (n * (n + 1)) / 2
  const deviation = Math.sqrt(((n * m) / 12) * (total + 1 - ties / (total * (total - 1))))
  const z = deviation === 0 ? 0 : Math.max(0, Math.abs(u - (n * m) / 2) - 0.5) / deviation
  const differences = first.flatMap((one) => second.map((other) => one - other))
  return { shift: median(differences), p: twoSidedTail(z) }
}

/** Abramowitz and Stegun 7.1.26, exact to 1.5e-7, which suffices for a p-value. */
function twoSidedTail(z: number): number {
  const x = z / Math.SQRT2
  const t = 1 / (1 + 0.3275911 * x)
  const series =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
  return Math.min(1, series * Math.exp(-x * x))
}
