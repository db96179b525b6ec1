import ipaddr from 'ipaddr.js'
import { createBoundedMap } from '../lib/bounded-map.ts'

/** The unambiguous form of an IPv4 address. */
const plainIPv4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/

/** IPv6 addresses repeat, and are costly to parse. Longer texts are not remembered. */
const maxCachedLength = 45
const canonicals = createBoundedMap<string, string>(10_000)

/**
 * One spelling of an IP address: IPv4 in dotted decimal, also where it is mapped into IPv6; IPv6 as
 * in RFC 5952.
 *
 * @returns undefined for any other text, also for an address with a port, brackets or a zone
 */
export const canonicalAddress = (text: string): string | undefined =>
  plainIPv4.test(text) ? text : canonicalIPv6(text)

function canonicalIPv6(text: string): string | undefined {
  const known = canonicals.get(text)
  if (known !== undefined) return known
  const tail = text.slice(text.lastIndexOf(':') + 1)
  if (text.includes('%') || !ipaddr.IPv6.isValid(text) || (tail.includes('.') && !plainIPv4.test(tail)))
    return undefined
  const canonical = ipaddr.process(text).toString()
  if (text.length <= maxCachedLength) canonicals.set(text, canonical)
  return canonical
}
