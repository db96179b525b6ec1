import { isIPv6 } from 'node:net'

/** A server on every address of the machine is asked at loopback. */
const loopbackOf: Record<string, string> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

/** The base URL at which this machine reaches a server that listens on `host`. */
export function localUrl(host: string, port: number): string {
  const address = loopbackOf[host] ?? host
  return `http://${isIPv6(address) ? `[${address}]` : address}:${port}`
}
