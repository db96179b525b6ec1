/** A host name or an address, then a port: IPv6 stands in brackets (RFC 9110, section 7.2). */
const hostPattern = /^(\[[\da-f:.]+\]|[\w.-]+)(:\d{1,5})?$/i

/**
 * @returns the parts of a Host header, `port` with its colon or empty; undefined where it cannot be
 *   read
 */
export function parseHost(host: string): { name: string; port: string } | undefined {
  const [, name, port = ''] = hostPattern.exec(host) ?? []
  return name === undefined ? undefined : { name, port }
}

export const isHost = (host: string): boolean => hostPattern.test(host)
