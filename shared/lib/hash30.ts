/** FNV's prime for 32 bits. */
const prime = 0x01000193

/**
 * 30-bit non-cryptographic hash (FNV-1a style) for map keys. Collisions can be forged: compare full
 * keys and bound probing. 30 bits are a small integer in every V8, which a map finds without its
 * table of strings.
 *
 * @param from index of the first character to hash
 */
export function hash30(text: string, from = 0): number {
  let hash = 0
  for (let i = Math.max(0, from); i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), prime)
  return hash & 0x3fffffff
}
