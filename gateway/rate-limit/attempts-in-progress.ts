import { createBoundedMap } from '../../shared/lib/bounded-map.ts'

/** Keys with tokens returned recently; the map holds up to twice this (see bounded-map.ts). */
const returnedKeys = 10_000

/**
 * Tracks the keys with attempts in progress at this gateway. A quota held by attempts in progress
 * is not used up by failures, since successful attempts return their tokens.
 *
 * The race we accept: attempts in progress at other gateways are not known here. A gateway without
 * attempts of its own for a key treats the quota as used up by failures.
 */
export function createAttemptsInProgress() {
  const inProgress = new Map<string, number>()
  /** By key: the number of its latest return. */
  const returnedAs = createBoundedMap<string, number>(returnedKeys)
  let returns = 0

  return {
    /** Keys with attempts in progress. */
    get size() {
      return inProgress.size
    },

    /** The number of the latest return, to be handed to `mayReturn`. */
    latestReturn: () => returns,

    begin(key: string): void {
      inProgress.set(key, (inProgress.get(key) ?? 0) + 1)
    },

    /** Once for each attempt that began. */
    end(key: string): void {
      const left = (inProgress.get(key) ?? 0) - 1
      if (left > 0) inProgress.set(key, left)
      else inProgress.delete(key)
    },

    returned(key: string): void {
      returnedAs.set(key, ++returns)
    },

    /**
     * Whether tokens in the store's result may be returned.
     *
     * @param latestReturn the number of the latest return when the store was called; its result may
     *   lack later ones
     */
    mayReturn: (key: string, latestReturn: number): boolean =>
      inProgress.has(key) || (returnedAs.get(key) ?? 0) > latestReturn,
  }
}
