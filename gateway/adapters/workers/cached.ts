import type { Transport, WaitUntil } from '../../ports.ts'

/** The used part of the platform's cache; each data centre has its own. */
export interface EdgeCache {
  match(url: string): Promise<Response | undefined>
  put(url: string, response: Response): Promise<void>
}

interface CachedTransportOptions {
  transport: Transport
  cache: EdgeCache
  /** Targets of the origin whose response is the same for every gateway. */
  targets: ReadonlySet<string>
  originUrl: string
  waitUntil: WaitUntil
}

/**
 * Lifetime of a cached response, shared by all gateways of a data centre.
 */
const keptSeconds = 10

/**
 * Workers are many and short-lived, and each needs the key set before its first token. Requests
 * that are the same for all of them go through the platform's cache, which adds at most
 * `keptSeconds` to the age of the response.
 */
export function createCachedTransport(options: CachedTransportOptions): Transport {
  const { transport, cache, targets, originUrl, waitUntil } = options

  return async function cached(request) {
    const { baseUrl, target, method } = request
    if (method !== 'GET' || baseUrl !== originUrl || !targets.has(target)) return transport(request)
    // No host has this name, so entries are never served as pages.
    const name = `https://gatehouse.invalid/${encodeURIComponent(baseUrl)}${target}`
    const known = await cache.match(name)
    if (known) return known
    const response = await transport(request)
    if (response.ok) {
      const copy = new Response(response.clone().body, {
        headers: { 'content-type': 'application/json', 'cache-control': `max-age=${keptSeconds}` },
      })
      waitUntil(cache.put(name, copy))
    }
    return response
  }
}
