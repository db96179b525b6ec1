import type { RawHeaders } from '../../shared/http/headers.ts'

/** Headers of one connection (RFC 9110, section 7.6.1), removed in both directions. */
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
 * The entry in the Via header of a response (RFC 9110, section 7.6.3), the same for every
 * deployment.
 */
export const ownVia = '1.1 gatehouse'

/** @param name in lower case */
export const isHopByHop = (name: string): boolean => hopByHop.has(name)

/**
 * Headers, names and values in turn, without those that the Connection header makes hop-by-hop for
 * this message.
 */
export function withoutNamed(headers: RawHeaders, connection: string | undefined): RawHeaders {
  if (connection === undefined || /^(keep-alive|close)$/i.test(connection)) return headers
  const named = new Set(connection.split(',').map((name) => name.trim().toLowerCase()))
  return headers.filter((_, i) => !named.has((headers[i - (i % 2)] as string).toLowerCase()))
}
