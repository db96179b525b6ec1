import { canonicalAddress } from '../../shared/http/canonical-address.ts'
import { Problem } from '../../shared/http/errors.ts'

export interface ClientPosition {
  address: string
  /** Entries of `forwardedFor`, from the right, that lead to the client; 0 for the peer itself. */
  hops: number
}

/**
 * The address of the socket's other end.
 *
 * @throws Problem `client_address_unknown`
 */
export function peerAddress(peer: string | undefined): string {
  const address = peer === undefined ? undefined : reportedAddress(peer)
  if (address === undefined) throw unreadable()
  return address
}

/**
 * Finds the client's address: the first one that does not belong to a trusted proxy, counted from
 * the gateway towards the client. The first `trustedHops` connections are proxies by their
 * position; behind them, addresses for which `isTrustedAddress` holds are proxies too. Entries
 * further left were written by the client and are not read.
 *
 * @param peer the remote address of the socket
 * @param forwardedFor the addresses that proxies reported, the oldest first, separated by commas
 * @param trustedHops our proxies in front of the gateway, each of which appends the address of its
 * own peer
 * @throws Problem `client_address_unknown` where no address is left, or the one at that place
 * cannot be read
 */
export function findClient(
  peer: string | undefined,
  forwardedFor: string | undefined,
  trustedHops: number,
  isTrustedAddress?: (address: string) => boolean,
): ClientPosition {
  let address = trustedHops === 0 ? peerAddress(peer) : undefined
  /** Where the next entry ends; below 0 where none is left. */
  let end = forwardedFor === undefined ? -1 : forwardedFor.length
  let hops = 0
  while (hops < trustedHops || (address !== undefined && isTrustedAddress?.(address))) {
    if (forwardedFor === undefined || end < 0) throw addressUnknown('the trusted proxies named no client')
    const begin = end === 0 ? 0 : forwardedFor.lastIndexOf(',', end - 1) + 1
    hops++
    if (hops >= trustedHops) address = reportedAddress(forwardedFor.slice(begin, end))
    end = begin - 1
  }
  if (address === undefined) throw unreadable()
  return { address, hops }
}

const unreadable = () => addressUnknown('the client was named by something that is no IP address')

const addressUnknown = (reason: string) =>
  new Problem('client_address_unknown', {
    cause: `${reason}: compare TRUSTED_PROXY_HOPS, TRUSTED_PROXY_CIDRS and TRUSTED_PROXY_HEADER with the proxies`,
  })

/** Some balancers append `address:port`. An IPv6 address with a port stands in brackets. */
const withPort = /^(?:\[([^\]]*:[^\]]*)\]|([\d.]*))(?::\d{1,5})?$/

/** Only IPv6 addresses have a zone. */
const withoutZone = (text: string) => (text.includes(':') ? text.replace(/%.*/, '') : text)

/**
 * An address as sockets and proxies report it: with blanks around it, a port, or a zone
 * (fe80::1%eth0), which names an interface of this machine.
 */
function reportedAddress(text: string): string | undefined {
  const plain = canonicalAddress(text)
  if (plain !== undefined) return plain
  const trimmed = text.trim()
  const [, bracketed, dotted] = withPort.exec(trimmed) ?? []
  return canonicalAddress(dotted ?? withoutZone(bracketed ?? trimmed))
}
