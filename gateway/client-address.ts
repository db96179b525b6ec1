import ipaddr from 'ipaddr.js'
import { createBoundedMap } from '../shared/bounded-map.ts'
import { Problem } from '../shared/errors.ts'

interface AddressFacts {
  /** The other end of the socket. */
  peer: string | undefined
  forwardedFor: string | undefined
  /** Proxies of ours in front of the gateway; each appends the address it saw. */
  trustedHops: number
}

/**
 * The client's address: the socket's peer or, behind `n` proxies of ours, the n-th entry of X-Forwarded-For from the right. What
 * stands further left was written by the client and is not read.
 *
 * @throws Problem `client_address_unknown` where the request came around the proxies
 */
export function clientAddress({ peer, forwardedFor, trustedHops }: AddressFacts): string {
  const claimed = trustedHops === 0 ? peer : hopFromRight(forwardedFor ?? '', trustedHops)
  const canonical = claimed === undefined ? undefined : canonicalOf(claimed)
  if (canonical === undefined)
    throw new Problem('client_address_unknown', { cause: `no address at ${trustedHops} trusted hops` })
  return canonical
}

/** The n-th entry of a list from the right, counted from 1. */
function hopFromRight(list: string, n: number): string | undefined {
  let end = list.length
  for (let skipped = 1; skipped < n; skipped++) {
    end = list.lastIndexOf(',', end - 1)
    if (end === -1) return undefined
  }
  return list.slice(list.lastIndexOf(',', end - 1) + 1, end).trim()
}

/** The one form of an IPv4 address that reads in one way everywhere. */
const plainIPv4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/

/** Those of IPv6 come again and again, and are costly to read. */
const longestRemembered = 45
const canonicals = createBoundedMap<string, string>(10_000)

function canonicalOf(text: string): string | undefined {
  if (plainIPv4.test(text)) return text
  const known = canonicals.get(text)
  if (known !== undefined) return known
  // A zone (fe80::1%eth0) names an interface of this machine, not a part of the caller's address.
  const address = text.replace(/%.*/, '')
  const tail = address.slice(address.lastIndexOf(':') + 1)
  if (!ipaddr.IPv6.isValid(address) || (tail.includes('.') && !plainIPv4.test(tail))) return undefined
  const canonical = ipaddr.process(address).toString()
  if (text.length <= longestRemembered) canonicals.set(text, canonical)
  return canonical
}

/**
 * What counts as one caller: an IPv4 address, or the /64 of one IPv6 customer.
 *
 * @param address as `clientAddress` gives it
 */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address
  const prefix = ipaddr.IPv6.parse(address)
    .parts.slice(0, 4)
    .map((part) => part.toString(16))
  return `${prefix.join(':')}::/64`
}
