interface SearchOptions {
  /** Tried first: where it holds, nothing is left to search. */
  max: number
  /** The answer is a multiple of it. */
  step: number
  holds: (rate: number) => Promise<boolean>
}

/**
 * By bisection, as what holds at one rate holds at every lower one.
 *
 * @returns the highest rate that holds; 0 where not even one step does
 */
export async function findHighestRate({ max, step, holds }: SearchOptions): Promise<number> {
  if (await holds(max)) return max
  let held = 0
  let broken = Math.ceil(max / step)
  while (broken - held > 1) {
    const middle = Math.floor((held + broken) / 2)
    if (await holds(middle * step)) held = middle
    else broken = middle
  }
  return held * step
}
