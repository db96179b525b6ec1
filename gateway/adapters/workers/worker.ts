import { connect } from 'cloudflare:sockets'
import { env, waitUntil } from 'cloudflare:workers'
import { createGateway } from '../../gateway.ts'
import { createPerRequestBackend } from '../../limit-backend.ts'
import type { PolicyRow } from '../../policy/policy.ts'
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
  /** Rows that are added to those in code: the text of a policy file, as the bundler imports it. */
  policyFile?: PolicyFile
  /** Rows in place of those in code. */
  rows?: readonly PolicyRow[]
}

/** Targets whose responses are the same for every gateway. */
const alike = new Set(['/.well-known/jwks.json', '/internal/gateway/plans'])

/**
 * The gateway as a Cloudflare Worker. Keys, plans, verified tokens and assertions stay in memory
 * for as long as the platform keeps it. Limits and revocations come from Redis, in one round trip a
 * request.
 *
 * @throws ConfigError when the Worker is loaded, before its first request
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
        originTransport: createCachedTransport({
          transport,
          // The platform's `default` is not in the standard's type.
          cache: (caches as unknown as { default: EdgeCache }).default,
          targets: alike,
          originUrl: config.ORIGIN_URL,
          waitUntil,
        }),
        createLimitBackend: createPerRequestBackend({
          store: createStore({ ask, keyPrefix: config.REDIS_KEY_PREFIX }),
          local: createMemoryStore({ shared: false, now }),
          waitUntil,
        }),
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

  // The platform allows no requests upstream before the first request.
  let gateway: ReturnType<typeof build> | undefined

  return {
    async fetch(request: Request): Promise<Response> {
      gateway ??= build()
      const { app } = await gateway
      // The platform sets this header itself, over the client's value.
      return app.fetch(request, { address: request.headers.get('cf-connecting-ip') ?? undefined })
    },
  }
}
