import type { Config } from '../shared/config.ts'
import type { HealthCheck } from '../shared/health.ts'
import { importKey } from '../shared/keys.ts'
import type { Log } from '../shared/log.ts'
import { createGateway } from './app.ts'
import { createAssertions } from './assertions.ts'
import type { gatewayVariables } from './config.ts'
import { createDecide } from './decision.ts'
import { createKeySet } from './key-set.ts'
import { createLimiter } from './limits.ts'
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
  isStopping?: () => boolean
  policy?: readonly RouteRow[]
}

/** How long the origin may take to answer the gateway's own questions. */
const ownQuestionMs = 3000

/** Puts the gateway's parts together, the same on every runtime. */
export async function buildGateway<Bindings extends object>(
  config: GatewayConfig,
  ports: GatewayPorts<Bindings>,
) {
  const { transport, now, log } = ports
  const upstreams = { origin: config.ORIGIN_URL, reports: config.REPORTS_URL }

  async function askOrigin(target: string): Promise<Response> {
    const answer = await transport({
      origin: config.ORIGIN_URL,
      target,
      method: 'GET',
      headers: new Headers(),
      body: null,
      signal: AbortSignal.timeout(ownQuestionMs),
      deadlineMs: ownQuestionMs,
    })
    const body = await answer.text()
    if (!answer.ok) throw new Error(`the origin answered ${answer.status} to ${target}`)
    return new Response(body)
  }

  const keys = createKeySet({
    fetchKeys: async () => (await askOrigin('/.well-known/jwks.json')).json(),
    freshSeconds: config.JWKS_CACHE_SECONDS,
    now,
    log,
  })
  const app = createGateway<Bindings>({
    decide: createDecide({
      policy: compilePolicy(ports.policy ?? routes, Object.keys(upstreams)),
      verifyToken: createTokenVerifier({
        keys,
        issuer: config.ISSUER_URL,
        audience: config.ACCESS_TOKEN_AUDIENCE,
        now,
      }),
      limiter: createLimiter({ counter: ports.counter, now, replicas: config.GATEWAY_REPLICAS }),
      assertionFor: createAssertions({ key: await importKey(config.ASSERTION_PRIVATE_JWK), now }),
      addressQuota: config.LIMIT_ADDRESS_REQUESTS,
      addressWindowSeconds: config.LIMIT_ADDRESS_SECONDS,
      userWindowSeconds: config.LIMIT_USER_SECONDS,
    }),
    forward: createProxy({ transport, upstreams }),
    keys,
    askOrigin: () => askOrigin('/ready'),
    trustedHops: config.TRUSTED_PROXY_HOPS,
    corsOrigins: config.CORS_ORIGINS,
    ...ports,
  })
  await keys.refresh()
  return app
}
