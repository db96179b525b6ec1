import type { WaitUntil } from '../ports.ts'

/**
 * Runs `work` once at a time: concurrent callers share the pending run.
 *
 * @param work never rejects
 * @param waitUntil gets the work, which may outlive the request that began it
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

    /** The pending run, if any. */
    get underway(): Promise<void> | undefined {
      return underway
    },
  }
}
