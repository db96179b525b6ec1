import { createNetworkMatcher } from '../../shared/http/networks.ts'
import { createBoundedMap } from '../../shared/lib/bounded-map.ts'
import type { RequestHeaders } from '../http/request-headers.ts'
import { findClient, peerAddress } from './client-address.ts'
import { type ForwardedElement, readForwarded } from './forwarded.ts'

interface TrustedProxiesOptions {
  /** Proxies of ours that every request passes, nearest first, whatever their addresses are. */
  hops: number
  /**
   * Networks of proxies and servers of ours that may name their client: `10.0.0.0/8`,
   * `2001:db8::/32`.
   */
  cidrs: readonly string[]
  /** The one header that proxies report clients in. The other one is not read. */
  header: 'x-forwarded-for' | 'forwarded'
}

interface ConnectionFacts {
  /** The remote address of the socket. */
  peer: string | undefined
  /** The scheme of the socket. */
  scheme: 'http' | 'https'
  headers: Pick<RequestHeaders, 'forwardedFor' | 'forwardedProto' | 'forwarded'>
}

interface ClientInfo {
  address: string
  /** The scheme that the client used: TLS may end at a proxy. */
  scheme: 'http' | 'https'
  /** Whether the peer of the socket is a trusted proxy. */
  isProxied: boolean
}

/** Addresses with a cached network; the map holds up to twice this (see bounded-map.ts). */
const rememberedAddresses = 10_000

/**
 * Reads the client's address and scheme, from the socket and from the reports of trusted proxies.
 *
 * @throws Problem `client_address_unknown`, `bad_request` where a Forwarded header cannot be read
 */
export type ReadClientInfo = (facts: ConnectionFacts) => ClientInfo

export function createTrustedProxies({ hops, cidrs, header }: TrustedProxiesOptions): ReadClientInfo {
  if (hops === 0 && cidrs.length === 0) return readSocket
  const isTrustedAddress = cidrs.length > 0 ? createCachedMatcher(cidrs) : undefined

  return function readClientInfo(facts) {
    const { peer, scheme, headers } = facts
    if (hops === 0 && !isTrustedAddress?.(peerAddress(peer))) return readSocket(facts)
    if (header === 'forwarded') {
      const elements = readForwarded(headers.forwarded ?? '')
      const forwardedFor = elements.length > 0 ? elements.map(addressIn).join(',') : undefined
      const client = findClient(peer, forwardedFor, hops, isTrustedAddress)
      const proto = schemeIn(elements.at(-client.hops)?.proto)
      return { address: client.address, scheme: proto ?? scheme, isProxied: true }
    }
    const { forwardedFor, forwardedProto } = headers
    const { address } = findClient(peer, forwardedFor, hops, isTrustedAddress)
    return { address, scheme: schemeIn(lastOf(forwardedProto)) ?? scheme, isProxied: true }
  }
}

/** The peer of the socket is the client. */
const readSocket: ReadClientInfo = ({ peer, scheme }) => ({
  address: peerAddress(peer),
  scheme,
  isProxied: false,
})

/** An address with a comma would become two entries, so it is unknown. */
const addressIn = ({ for: named }: ForwardedElement) =>
  named === undefined || named.includes(',') ? 'unknown' : named

/**
 * The nearest proxy wrote the last value of X-Forwarded-Proto; values left of it may be the
 * client's.
 */
const lastOf = (list: string | undefined) => list?.slice(list.lastIndexOf(',') + 1).trim()

function schemeIn(text: string | undefined): 'http' | 'https' | undefined {
  const lower = text?.toLowerCase()
  return lower === 'https' || lower === 'http' ? lower : undefined
}

/** As `createNetworkMatcher`, for addresses that come again. */
function createCachedMatcher(cidrs: readonly string[]): (address: string) => boolean {
  const matches = createNetworkMatcher(cidrs)
  const known = createBoundedMap<string, boolean>(rememberedAddresses)
  return function isInside(address) {
    const before = known.get(address)
    if (before !== undefined) return before
    const inside = matches(address)
    known.set(address, inside)
    return inside
  }
}
