import type { Config } from '../shared/config.ts'
import type { HealthCheck } from '../shared/health.ts'
import { importKey } from '../shared/keys.ts'
import type { Log } from '../shared/log.ts'
import { createGateway } from './app.ts'
import { createAssertions } from './assertions.ts'
import type { gatewayVariables } from './config.ts'
import { createDecide } from './decision.ts'
import { createHealth } from './health.ts'
import { createKeySet } from './key-set.ts'
import { createLimiter } from './limits.ts'
import { createOriginClient } from './origin-client.ts'
import { compilePolicy, type RouteRow } from './policy.ts'
import type { Counter, Now, Transport } from './ports.ts'
import { createProxy } from './proxy.ts'
import { routes } from './routes.ts'
import { createTokenVerifier } from './tokens.ts'

export type GatewayConfig = Config<(typeof gatewayVariables)[number]>

/** What an adapter hands in. */
export interface GatewayPorts<Bindings> {
  transport: Transport
  counter: Counter
  limiterHealth: () => Promise<HealthCheck>
  peerAddress: (bindings: Bindings) => string | undefined
  now: Now
  log: Log
  isStopping?: (() => boolean) | undefined
}

/** Puts the gateway's parts together, the same on every runtime. */
export async function buildGateway<Bindings extends object>(
  config: GatewayConfig,
  ports: GatewayPorts<Bindings>,
  rows: readonly RouteRow[] = routes,
) {
  const { transport, now, log } = ports
  const upstreams = { ...config.UPSTREAMS, origin: config.ORIGIN_URL }

  const key = await importKey(config.ASSERTION_PRIVATE_JWK)
  const origin = createOriginClient({ transport, originUrl: config.ORIGIN_URL, key, now })

  const keys = createKeySet({
    fetchKeys: async () => JSON.parse(await origin.get('/.well-known/jwks.json')),
    freshSeconds: config.JWKS_CACHE_SECONDS,
    now,
    log,
  })
  const app = createGateway<Bindings>({
    decide: createDecide({
      policy: compilePolicy(rows, Object.keys(upstreams)),
      tokens: createTokenVerifier({
        keys,
        issuer: config.ISSUER_URL,
        audience: config.ACCESS_TOKEN_AUDIENCE,
        recheckSeconds: config.JWKS_CACHE_SECONDS,
        now,
      }),
      limiter: createLimiter({ counter: ports.counter, now, replicas: config.GATEWAY_REPLICAS }),
      assertionFor: createAssertions({ key, now }),
      addressQuota: config.LIMIT_ADDRESS_REQUESTS,
      addressWindowSeconds: config.LIMIT_ADDRESS_SECONDS,
    }),
    forward: createProxy({ transport, upstreams }),
    checkHealth: createHealth({
      keys,
      askOrigin: () => origin.get('/ready'),
      limiterHealth: ports.limiterHealth,
      isStopping: ports.isStopping ?? (() => false),
      now,
    }),
    trustedHops: config.TRUSTED_PROXY_HOPS,
    corsOrigins: config.CORS_ORIGINS,
    peerAddress: ports.peerAddress,
    log,
  })
  await keys.refresh()
  return app
}
