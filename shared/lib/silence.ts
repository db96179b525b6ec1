import type { MonotonicMs } from './time.ts'
/**
 * Watches calls over one connection whose replies come in order, without a timer: a call that finds
 * an earlier one unanswered for too long ends the connection.
 *
 * @param silenceMs since the latest reply, or the first call after it
 * @param onSilent called once for each silence
 */
export function createReplyTimeout(silenceMs: number, onSilent: () => void) {
  let unanswered = 0
  let since: MonotonicMs = 0

  return {
    /** A call begins. */
    sent(): void {
      const now = performance.now()
      if (unanswered++ === 0) since = now
      else if (now - since > silenceMs) {
        since = now
        onSilent()
      }
    },
    /** A call ended, by its reply or with its connection. */
    answered(): void {
      unanswered--
      since = performance.now()
    },
  }
}
