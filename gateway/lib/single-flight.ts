import type { WaitUntil } from '../ports.ts'

/**
 * Does something at most once at a time, whoever wants it done meanwhile.
 *
 * @param work never rejects
 * @param waitUntil told of the work: whoever began it may leave while others wait for it
 */
export function createSingleFlight(work: () => Promise<void>, waitUntil: WaitUntil = () => {}) {
  let underway: Promise<void> | undefined

  return {
    run(): Promise<void> {
      if (underway !== undefined) return underway
      underway = work().finally(() => {
        underway = undefined
      })
      waitUntil(underway)
      return underway
    },

    /** What is being done at this moment. */
    get underway(): Promise<void> | undefined {
      return underway
    },
  }
}
