/** FNV's prime for 32 bits. */
const prime = 0x01000193

/**
 * A number of 30 bits to find a text by among many, for whoever compares what was found. Of each text that was cut from a request a map would hash
 * every letter, too, and keep a copy.
 *
 * @param from where the part of the text begins that tells it from others
 */
export function markOf(text: string, from = 0): number {
  let mark = 0
  for (let i = Math.max(0, from); i < text.length; i++) mark = Math.imul(mark ^ text.charCodeAt(i), prime)
  return mark & 0x3fffffff
}
