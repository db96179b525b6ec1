import { createBoundedMap } from '../../shared/lib/bounded-map.ts'

/** Keys with recent refunds; the map holds up to twice this (see bounded-map.ts). */
const refundedKeys = 10_000

/**
 * Tracks the keys with attempts in progress at this gateway. A quota held by attempts in progress
 * is not used up by failures, since successful attempts refund their tokens.
 *
 * The race we accept: attempts in progress at other gateways are not known here. A gateway without
 * attempts of its own for a key treats the quota as used up by failures.
 */
export function createAttemptsInProgress() {
  const inProgress = new Map<string, number>()
  /** By key: the number of its latest refund. Refunds are numbered in sequence. */
  const refundNumbers = createBoundedMap<string, number>(refundedKeys)
  let refunds = 0

  return {
    /** Keys with attempts in progress. */
    get size() {
      return inProgress.size
    },

    /** The number of the latest refund, to be handed to `mayBeRefunded`. */
    latestRefund: () => refunds,

    begin(key: string): void {
      inProgress.set(key, (inProgress.get(key) ?? 0) + 1)
    },

    /** Once for each attempt that began. */
    end(key: string): void {
      const left = (inProgress.get(key) ?? 0) - 1
      if (left > 0) inProgress.set(key, left)
      else inProgress.delete(key)
    },

    recordRefund(key: string): void {
      refundNumbers.set(key, ++refunds)
    },

    /**
     * Whether tokens that the store's result counts as used may be, or have been, refunded.
     *
     * @param latestRefund the number of the latest refund when the store was called; its result may
     *   lack later ones
     */
    mayBeRefunded: (key: string, latestRefund: number): boolean =>
      inProgress.has(key) || (refundNumbers.get(key) ?? 0) > latestRefund,
  }
}
