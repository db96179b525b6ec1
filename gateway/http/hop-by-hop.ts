/** These belong to one connection (RFC 9110, section 7.6.1) and end here, both ways. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/**
 * The entry in the Via field of a response (RFC 9110, section 7.6.3), the same for every
 * deployment.
 */
export const ownVia = '1.1 gatehouse'

/** @param name in lower case */
export const isHopByHop = (name: string): boolean => hopByHop.has(name)

/**
 * Fields, names and values in turn, without those that the Connection field makes hop-by-hop for
 * this message.
 */
export function withoutNamed(fields: string[], connection: string | undefined): string[] {
  if (connection === undefined || /^(keep-alive|close)$/i.test(connection)) return fields
  const named = new Set(connection.split(',').map((name) => name.trim().toLowerCase()))
  return fields.filter((_, i) => !named.has((fields[i - (i % 2)] as string).toLowerCase()))
}
