import ipaddr from 'ipaddr.js'
import { Problem } from '../../shared/http/errors.ts'
import { createBoundedMap } from '../../shared/lib/bounded-map.ts'

interface AddressFacts {
  /** The remote address of the socket. */
  peer: string | undefined
  /** The addresses that proxies reported, the oldest first, separated by commas. */
  forwardedFor: string | undefined
  /** Our proxies in front of the gateway. Each appends the address of its own peer. */
  trustedHops: number
  /** Whether an address belongs to a proxy that we trust wherever it stands in the chain. */
  isTrustedAddress?: ((address: string) => boolean) | undefined
}

export interface ClientPosition {
  address: string
  /** How many entries of `forwardedFor`, from the right, lead to it; 0 for the peer itself. */
  hops: number
}

/**
 * Finds the client's address: the first one that does not belong to a trusted proxy, counted from the gateway towards the
 * client. The first `trustedHops` connections are proxies by their position; behind them, addresses for which
 * `isTrustedAddress` holds are proxies too. Entries further left were written by the client and are not read.
 *
 * @throws Problem `client_address_unknown` where no address is left, or the one at that place cannot be read
 */
export function findClient({
  peer,
  forwardedFor,
  trustedHops,
  isTrustedAddress,
}: AddressFacts): ClientPosition {
  let address = trustedHops === 0 && peer !== undefined ? canonicalAddress(peer) : undefined
  /** Where the next entry ends; below 0 where none is left. */
  let end = forwardedFor === undefined ? -1 : forwardedFor.length
  let hops = 0
  while (hops < trustedHops || (address !== undefined && isTrustedAddress?.(address))) {
    if (forwardedFor === undefined || end < 0) throw addressUnknown('the trusted proxies named no client')
    const begin = end === 0 ? 0 : forwardedFor.lastIndexOf(',', end - 1) + 1
    hops++
    if (hops >= trustedHops) address = canonicalAddress(forwardedFor.slice(begin, end))
    end = begin - 1
  }
  if (address === undefined) throw addressUnknown('the client was named by something that is no IP address')
  return { address, hops }
}

/** The address alone of `findClient`. */
export const clientAddress = (facts: AddressFacts): string => findClient(facts).address

const addressUnknown = (reason: string) =>
  new Problem('client_address_unknown', {
    cause: `${reason}: compare TRUSTED_PROXY_HOPS, TRUSTED_PROXY_CIDRS and TRUSTED_PROXY_HEADER with the proxies`,
  })

/** The one form of an IPv4 address that reads in one way everywhere. */
const plainIPv4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/

/** Some balancers append `address:port`. An IPv6 address with a port stands in brackets. */
const withPort = /^(?:\[([^\]]*)\]|([\d.]*))(?::\d{1,5})?$/

/** IPv6 addresses repeat, and are costly to read. */
const longestRemembered = 45
const canonicals = createBoundedMap<string, string>(10_000)

/** @returns one spelling of an IP address, without its port and zone; undefined where the text is none */
function canonicalAddress(entry: string): string | undefined {
  if (plainIPv4.test(entry)) return entry
  const trimmed = entry.trim()
  const [, bracketed, dotted] = withPort.exec(trimmed) ?? []
  if (dotted !== undefined) return plainIPv4.test(dotted) ? dotted : undefined
  return canonicalIPv6(bracketed ?? trimmed)
}

function canonicalIPv6(text: string): string | undefined {
  const known = canonicals.get(text)
  if (known !== undefined) return known
  // A zone (fe80::1%eth0) names an interface of this machine, not a part of the client's address.
  const address = text.replace(/%.*/, '')
  const tail = address.slice(address.lastIndexOf(':') + 1)
  if (!ipaddr.IPv6.isValid(address) || (tail.includes('.') && !plainIPv4.test(tail))) return undefined
  const canonical = ipaddr.process(address).toString()
  if (text.length <= longestRemembered) canonicals.set(text, canonical)
  return canonical
}
