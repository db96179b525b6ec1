import { createBoundedMap } from './bounded-map.ts'

/**
 * Few distinct strings recur. Strings made up by an attacker evict each other, and frequent ones
 * stay.
 */
const maxEntries = 1000
const maxKeyLength = 512

/**
 * Memoizes a pure function of a string for frequent strings. An error is not remembered.
 */
export function memoizeByString<T>(compute: (text: string) => T): (text: string) => T {
  const results = createBoundedMap<string, T>(maxEntries)
  return function computeOnce(text) {
    const known = results.get(text)
    if (known !== undefined) return known
    const result = compute(text)
    if (text.length <= maxKeyLength) results.set(text, result)
    return result
  }
}
