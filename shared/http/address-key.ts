import ipaddr from 'ipaddr.js'

/**
 * Rate-limit key of an address: the IPv4 address, or the /64 of an IPv6 address.
 *
 * @param address in canonical form
 */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address
  const prefix = ipaddr.IPv6.parse(address)
    .parts.slice(0, 4)
    .map((part) => part.toString(16))
  return `${prefix.join(':')}::/64`
}
