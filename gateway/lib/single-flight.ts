import type { WaitUntil } from '../ports.ts'

/**
 * Runs `work` once at a time: concurrent callers share the pending run.
 *
 * @param work never rejects
 * @param waitUntil gets the work, which may outlive the request that began it
 */
export function createSingleFlight(work: () => Promise<void>, waitUntil: WaitUntil = () => {}) {
  let inFlight: Promise<void> | undefined

  return {
    run(): Promise<void> {
      if (inFlight !== undefined) return inFlight
      inFlight = work().finally(() => {
        inFlight = undefined
      })
      waitUntil(inFlight)
      return inFlight
    },

    /** The pending run, if any. */
    get inFlight(): Promise<void> | undefined {
      return inFlight
    },
  }
}
