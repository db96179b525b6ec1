import { connect } from 'cloudflare:sockets'
import { env, waitUntil } from 'cloudflare:workers'
import { createGateway } from '../../gateway.ts'
import type { RouteRow } from '../../policy/policy.ts'
import type { PolicyFile } from '../../policy/policy-file.ts'
import { logUnknownNames } from '../../policy/policy-names.ts'
import type { Peer } from '../../ports.ts'
import { createMemoryStore } from '../../rate-limit/memory-store.ts'
import { createFetchTransport } from '../fetch.ts'
import { createCachedTransport, type EdgeCache } from './cached.ts'
import { readWorkerConfig } from './config.ts'
import { createConsoleLog } from './log.ts'
import { createRedis } from './redis.ts'
import { createStore } from './store.ts'

interface WorkerOptions {
  /** Rows that come to those in code: the text of a policy file, as the bundler imports it. */
  policyFile?: PolicyFile
  /** Rows in place of those in code. */
  rows?: readonly RouteRow[]
}

/** What every gateway asks alike. */
const alike = new Set(['/.well-known/jwks.json', '/internal/gateway/plans'])

/**
 * The gateway as a Cloudflare Worker. What it keeps in memory (keys, plans, tokens verified,
 * assertions made) spares work as long as the platform keeps it; what a request must know anew it
 * asks Redis, in one round trip.
 *
 * @throws ConfigError when the Worker is loaded, not when it is asked
 */
export function createWorker({ policyFile, rows }: WorkerOptions = {}) {
  const config = readWorkerConfig(env)
  // biome-ignore lint/suspicious/noConsole: the one output that a Worker has
  const log = createConsoleLog('gateway', config.LOG_LEVEL, console.log)
  const now = Date.now
  const transport = createFetchTransport({ fetch, boundsSilence: false })
  const ask = createRedis({ url: config.REDIS_URL as string, connect })

  async function build() {
    const gateway = await createGateway<Peer>(
      config,
      {
        transport,
        ownTransport: createCachedTransport({
          transport,
          // The standard's type has no `default`, which is the platform's.
          cache: (caches as unknown as { default: EdgeCache }).default,
          targets: alike,
          originUrl: config.ORIGIN_URL,
          waitUntil,
        }),
        rateLimitStore: createMemoryStore({ shared: false, now }),
        store: createStore({ ask, keyPrefix: config.REDIS_KEY_PREFIX }),
        peerAddress: ({ address }) => address,
        waitUntil,
        now,
        log,
        policyFile,
      },
      rows,
    )
    logUnknownNames(gateway, log)
    return gateway
  }

  // Nothing may be asked before the first request is here.
  let gateway: ReturnType<typeof build> | undefined

  return {
    async fetch(request: Request): Promise<Response> {
      gateway ??= build()
      const { app } = await gateway
      // The platform sets this field itself, over whatever a client wrote.
      return app.fetch(request, { address: request.headers.get('cf-connecting-ip') ?? undefined })
    },
  }
}
