import { clockLeewaySeconds } from '../shared/auth/claims.ts'
import { importWebSigner } from '../shared/auth/jwk.ts'
import { Problem } from '../shared/http/errors.ts'
import { createAllowedMethods } from './allowed-methods.ts'
import { createGateway } from './app.ts'
import type { GatewayConfig } from './config.ts'
import { createDecide } from './decision/decide.ts'
import { createRequestLimits } from './decision/request-limits.ts'
import { createRequireHost } from './decision/served-hosts.ts'
import { createTrustedProxies } from './decision/trusted-proxies.ts'
import { createConcurrency } from './decision/upstream-concurrency.ts'
import type { GatewayPorts } from './gateway-ports.ts'
import { createHealth } from './health.ts'
import { viaName } from './http/via.ts'
import { createProxy } from './http/web-proxy.ts'
import { createGatewayMetrics } from './metrics.ts'
import { createOriginLinks } from './origin-api/origin-links.ts'
import { createAuthorize } from './policy/authorization.ts'
import type { RouteRow } from './policy/policy.ts'
import { compilePolicyWithFile, createReplaceablePolicy, type PolicyFile } from './policy/policy-file.ts'
import { requireKnownNames, requireKnownNamesInFile } from './policy/policy-names.ts'
import { readTarget } from './policy/request-target.ts'
import { createBatchedLimits } from './rate-limit/batched-limits.ts'
import { createLimiter } from './rate-limit/limiter.ts'
import { createPerRequestLimits } from './rate-limit/per-request-limits.ts'
import { createRevocations } from './revocation/revocation-index.ts'
import { routes } from './routes.ts'
import { createAssertions } from './tokens/assertion-signer.ts'
import { createTokenVerifier } from './tokens/token-verifier.ts'
import type { VerifiedToken } from './tokens/verified-token.ts'

/** Where each upstream stands, by the name that rows go by. */
export function upstreamsOf({ UPSTREAMS, ORIGIN_URL }: Pick<GatewayConfig, 'UPSTREAMS' | 'ORIGIN_URL'>) {
  return { ...UPSTREAMS, origin: ORIGIN_URL }
}

/**
 * In production the issuer's own name, if nothing else is said; elsewhere whatever a client calls
 * us.
 */
function servedHosts({ GATEWAY_HOSTS, NODE_ENV, ISSUER_URL }: GatewayConfig): readonly string[] | undefined {
  if (GATEWAY_HOSTS) return GATEWAY_HOSTS
  return NODE_ENV === 'production' ? [new URL(ISSUER_URL).hostname] : undefined
}

/** Puts the gateway's parts together, the same on every runtime. */
export async function buildGateway<Bindings extends object>(
  config: GatewayConfig,
  ports: GatewayPorts<Bindings>,
  rows: readonly RouteRow[] = routes,
) {
  const { transport, store, outlive, now, log, beginSpan } = ports
  const upstreams = upstreamsOf(config)
  const metrics = createGatewayMetrics(Object.keys(upstreams))

  const { importSigner = importWebSigner } = ports
  const assertionFor = createAssertions({ signer: await importSigner(config.ASSERTION_PRIVATE_JWK), now })
  const revocations = createRevocations({ now })
  const { origin, keys, plans, follower, rateLimitReporter, denialReporter } = createOriginLinks({
    config,
    ports,
    assertionFor,
    revocations,
    onNews: metrics.revocationsHeard,
    onAssertionRejected: () => metrics.recordAssertionRejection('origin'),
  })
  const compile = (file: PolicyFile | undefined) => compilePolicyWithFile(rows, file, Object.keys(upstreams))
  const first = compile(ports.policyFile)
  const policy = createReplaceablePolicy(first.policy)
  const replicas = config.GATEWAY_REPLICAS
  const asked =
    store &&
    createPerRequestLimits({
      store,
      local: ports.rateLimitStore,
      replicas,
      async throwIfRevokedByFeed(bearer) {
        await follower.recall()
        revocations.throwIfRevoked(bearer)
      },
      outlive: outlive ?? (() => {}),
      now,
      log,
    })
  const limitTokens =
    asked ??
    createBatchedLimits({
      rateLimitStore: ports.rateLimitStore,
      now,
      nextTurn: ports.nextTurn ?? queueMicrotask,
      largestLease: config.LIMIT_LEASE,
      replicas,
    })
  const tokens = createTokenVerifier({
    keys,
    issuer: config.ISSUER_URL,
    audience: config.ACCESS_TOKEN_AUDIENCE,
    recheckSeconds: config.JWKS_CACHE_SECONDS,
    now,
    digest: ports.digest,
    onLookup: metrics.tokenLookedUp,
  })
  const concurrency = createConcurrency(config.UPSTREAM_REQUESTS)
  const requireHost = createRequireHost(servedHosts(config))
  const pages = ports.pages ?? new Map()
  const admit = createDecide({
    policy,
    tokens,
    throwIfRevoked: asked ? undefined : revocations.throwIfRevoked,
    limiter: createLimiter({ limitTokens, now, onDecision: metrics.limitDecided }),
    recordRejection: rateLimitReporter.record,
    authorize: createAuthorize({
      plans,
      upgradePage: config.UPGRADE_URL,
      onDenied: denialReporter.record,
    }),
    assertionFor,
    limits: createRequestLimits(config),
    concurrency,
    upstreams,
    readClientSide: createTrustedProxies({
      hops: config.TRUSTED_PROXY_HOPS,
      cidrs: config.TRUSTED_PROXY_CIDRS,
      header: config.TRUSTED_PROXY_HEADER,
    }),
    requireHost,
    viaName: await viaName(config),
  })
  const checkHealth = createHealth({
    keys,
    askOrigin: () => origin.get('/ready'),
    limiterHealth: asked?.limiterHealth ?? ports.limiterHealth ?? (async () => ({ status: 'pass' })),
    revocationHealth: asked ? asked.health : follower.health,
    isStopping: ports.isStopping ?? (() => false),
    outlive,
    now,
  })
  const app = createGateway<Bindings>({
    admit,
    forward: createProxy({
      transport,
      uploadIdleMs: config.UPLOAD_IDLE_SECONDS * 1000,
      onResponse: metrics.recordUpstreamResponse,
    }),
    checkHealth,
    metrics,
    beginSpan,
    cors: {
      origins: config.CORS_ORIGINS,
      exposedHeaders: config.CORS_EXPOSED_HEADERS,
      maxAgeSeconds: config.CORS_MAX_AGE_SECONDS,
    },
    pages,
    allowedMethods: createAllowedMethods({ policy, pages, requireHost }),
    peerAddress: ports.peerAddress,
    socketScheme: ports.socketScheme,
    log,
  })
  await Promise.all([keys.refresh(), plans.refresh(), store ? undefined : follower.start()])
  return {
    app,
    /** The decision alone, for a runtime with its own proxy. */
    admit,
    checkHealth,
    /** The counts so far, and the state of the parts now. */
    metrics,
    watched: {
      keySetAgeSeconds: keys.ageSeconds,
      tokensRemembered: () => tokens.size,
      revocationEntries: () => revocations.size,
      requestsUnderWay: concurrency.underway,
      rejectionsUnreported: rateLimitReporter.unreported,
    },
    /**
     * Holds the rows that are no part of the product against the names that the origin has, where
     * it has told them.
     *
     * @throws PolicyFileError, PolicyRowError where a row asks for a permission or a feature that
     *   there is not
     */
    requireKnownNames() {
      const names = plans.names()
      if (!names) return
      if (rows !== routes) requireKnownNames(rows, names)
      if (ports.policyFile) requireKnownNamesInFile(ports.policyFile.name, first.added, names)
    },
    /** @throws PolicyFileError where the file cannot be used; the policy of before stays */
    async usePolicyFile(file: PolicyFile) {
      const { policy: next, added } = compile(file)
      // A permission may have come since the last read.
      await plans.reread()
      const names = plans.names()
      if (names) requireKnownNamesInFile(file.name, added, names)
      policy.replace(next)
    },
    /**
     * Whether a row takes this request for a WebSocket. What no row takes is refused like any other
     * request.
     */
    takesWebSocket(method: string, target: string): boolean {
      try {
        return policy.match(method, readTarget(target).path).websocket
      } catch (error) {
        if (error instanceof Problem) return false
        throw error
      }
    },
    /**
     * Whether a token that was good when its request came still is, for what goes on long after
     * that.
     */
    stillHolds: ({ identity, expiresAt }: VerifiedToken): boolean =>
      expiresAt + clockLeewaySeconds > now() / 1000 && revocations.judge(identity) === 'good',
    /** Resolves when revocations that were committed before the call are known here. */
    hearRevocations: follower.hear,
    /** How fresh what is known of revocations is. */
    revocationState: follower.state,
    /**
     * Tells the origin now which requests were refused, by a limit or for want of a right, instead
     * of in a while.
     */
    async flushReports() {
      await Promise.all([rateLimitReporter.flush(), denialReporter.flush()])
    },
    /** Ends what runs beside the requests. */
    async close() {
      await follower.stop()
      await Promise.all([rateLimitReporter.close(), denialReporter.close()])
    },
  }
}
