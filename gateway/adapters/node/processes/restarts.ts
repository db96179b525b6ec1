/** Wait before the first restart. It doubles with each further failure. */
const firstDelayMs = 1000

/** A process that cannot start is tried twice a minute: what it lacks may come back. */
const maxDelayMs = 30_000

/** A process that has served for so long has no failures to its name. */
const settledMs = 60_000

/** Failures in a row after which the supervisor ends, where no other process serves. */
export const maxFailures = 4

/** @param failures of one process, in a row, at least 1 */
export const restartDelayMs = (failures: number): number =>
  Math.min(firstDelayMs * 2 ** (failures - 1), maxDelayMs)

/**
 * Failures in a row of a process that has ended.
 *
 * @param servedMs how long it served; undefined where it never did
 */
export const failuresAfter = (failures: number, servedMs: number | undefined): number =>
  servedMs !== undefined && servedMs >= settledMs ? 1 : failures + 1
