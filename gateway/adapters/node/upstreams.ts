import { createPool, type Pool } from './upstream/pool.ts'

export interface UpstreamsOptions {
  /** The most connections to each upstream. */
  connections?: number
  connectTimeoutMs?: number
  /**
   * Below the upstream's own idle time, so that a request never meets a closing socket: most servers keep one for 5 s or longer, and one that says
   * less in its Keep-Alive field is believed.
   */
  keepAliveMs?: number
  /** The longest silence inside an answer's body. */
  bodyIdleMs?: number
}

export interface Upstreams {
  /** @param origin without a path: `http://10.0.0.7:8081` */
  poolOf: (origin: string) => Pool
  close: () => void
}

/** The connections to the upstreams, kept and bounded. */
export function createUpstreams({
  connections = 256,
  connectTimeoutMs = 3000,
  keepAliveMs = 4000,
  bodyIdleMs = 60_000,
}: UpstreamsOptions = {}): Upstreams {
  const pools = new Map<string, Pool>()

  return {
    poolOf(origin) {
      const known = pools.get(origin)
      if (known) return known
      const pool = createPool(origin, { connections, connectTimeoutMs, keepAliveMs, bodyIdleMs })
      pools.set(origin, pool)
      return pool
    },

    close() {
      for (const pool of pools.values()) pool.close()
    },
  }
}
