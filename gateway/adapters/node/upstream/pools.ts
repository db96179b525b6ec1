import { createPool, type Pool } from './pool.ts'

export interface UpstreamsOptions {
  connectTimeoutMs?: number
  /**
   * Below the upstream's own idle time, so that a request never meets a closing socket: most
   * servers keep one for 5 s or longer, and one that says less in its Keep-Alive header is
   * believed.
   */
  keepAliveMs?: number
  /** From a connection's opening to its end, which waits for the exchange under way. */
  maxAgeMs: number
}

export interface Upstreams {
  /** @param baseUrl without a path: `http://10.0.0.7:8081` */
  poolOf: (baseUrl: string) => Pool
  close: () => void
}

/** The connections to the upstreams. */
export function createUpstreams({
  connectTimeoutMs = 3000,
  keepAliveMs = 4000,
  maxAgeMs,
}: UpstreamsOptions): Upstreams {
  const pools = new Map<string, Pool>()

  return {
    poolOf(baseUrl) {
      const known = pools.get(baseUrl)
      if (known) return known
      const pool = createPool(baseUrl, { connectTimeoutMs, keepAliveMs, maxAgeMs })
      pools.set(baseUrl, pool)
      return pool
    },

    close() {
      for (const pool of pools.values()) pool.close()
    },
  }
}
