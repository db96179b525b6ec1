/** FNV's prime for 32 bits. */
const prime = 0x01000193

/**
 * A number to find a text by. Anyone can make texts of the same one: whoever finds something
 * compares it, and bounds the search. 30 bits are a small integer in every V8, which a map finds
 * without a look at its table of strings.
 *
 * @param from where the part of the text begins that tells it from others
 */
export function markOf(text: string, from = 0): number {
  let mark = 0
  for (let i = Math.max(0, from); i < text.length; i++) mark = Math.imul(mark ^ text.charCodeAt(i), prime)
  return mark & 0x3fffffff
}
