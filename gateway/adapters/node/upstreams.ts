import { type Dispatcher, Pool } from 'undici'

export interface UpstreamsOptions {
  /** Connections kept to each upstream. */
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
  dispatcherOf: (origin: string) => Dispatcher
  close: () => Promise<void>
}

/** The connections to the upstreams, in undici's pools: unlike fetch they leave encoded bodies, redirects and the length of a HEAD alone. */
export function createUpstreams({
  connections = 256,
  connectTimeoutMs = 3000,
  keepAliveMs = 4000,
  bodyIdleMs = 60_000,
}: UpstreamsOptions = {}): Upstreams {
  const pools = new Map<string, Pool>()

  function dispatcherOf(origin: string): Pool {
    const known = pools.get(origin)
    if (known) return known
    const pool = new Pool(origin, {
      connections,
      pipelining: 1,
      connect: { timeout: connectTimeoutMs },
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs,
      bodyTimeout: bodyIdleMs,
    })
    pools.set(origin, pool)
    return pool
  }

  return {
    dispatcherOf,
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.close()))
    },
  }
}
