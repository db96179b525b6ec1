import type { Transport, WaitUntil } from '../../ports.ts'

/** The part of the platform's cache that we use; each data centre has one. */
export interface EdgeCache {
  match(url: string): Promise<Response | undefined>
  put(url: string, response: Response): Promise<void>
}

interface CachedTransportOptions {
  transport: Transport
  cache: EdgeCache
  /** Targets of the origin whose answer is the same for every gateway. */
  targets: ReadonlySet<string>
  originUrl: string
  waitUntil: WaitUntil
}

/**
 * The pause between two reads of one gateway elsewhere; here it holds for all that run in one data
 * centre.
 */
const keptSeconds = 10

/**
 * Gateways here are many and live shortly, and each needs the key set before its first token: what
 * all of them ask the origin alike goes through the platform's cache. A copy adds at most
 * `keptSeconds` to the age of what a gateway knows.
 */
export function createCachedTransport(options: CachedTransportOptions): Transport {
  const { transport, cache, targets, originUrl, waitUntil } = options

  return async function cached(request) {
    const { baseUrl, target, method } = request
    if (method !== 'GET' || baseUrl !== originUrl || !targets.has(target)) return transport(request)
    // No host has this name, so what is kept here is never served as somebody's page.
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
