interface Run {
  seconds: number
  /** Requests a second of k6. */
  judged: number
  /** Of the generator. */
  figures: { due: number; failed: number }
}

/**
 * Requests a second that were served: fewer than were due where the machine is too slow.
 * Costs of a request are divided by it.
 */
export const servedRate = ({ figures, judged, seconds }: Run): number =>
  judged + (figures.due - figures.failed) / seconds
