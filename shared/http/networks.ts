import ipaddr from 'ipaddr.js'

type Network = [address: ipaddr.IPv4 | ipaddr.IPv6, bits: number]

/** @param text a CIDR block or one address */
function parseNetwork(text: string): Network {
  if (text.includes('/')) return ipaddr.parseCIDR(text)
  const address = ipaddr.parse(text)
  return [address, address.kind() === 'ipv4' ? 32 : 128]
}

/**
 * @param networks CIDR blocks and addresses: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`
 * @returns whether an address, in its canonical form, is in one of the networks
 */
export function createNetworkMatcher(networks: readonly string[]): (address: string) => boolean {
  const parsed = networks.map(parseNetwork)
  return function isInside(address) {
    if (!ipaddr.isValid(address)) return false
    const client = ipaddr.parse(address)
    return parsed.some(([network, bits]) => network.kind() === client.kind() && client.match(network, bits))
  }
}
