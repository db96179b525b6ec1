import { featureProblem } from '../shared/auth/authorization.ts'
import { clockLeewaySeconds } from '../shared/auth/claims.ts'
import { importWebSigner } from '../shared/auth/jwk.ts'
import { assertionHeader } from '../shared/http/headers.ts'
import { createErrorReporter } from '../shared/http/report-error.ts'
import { RequestLifecycle } from '../shared/http/request-lifecycle.ts'
import { createAllowedMethods } from './allowed-methods.ts'
import { createApp } from './app.ts'
import type { GatewayConfig } from './config.ts'
import { createDecide } from './decision/decide.ts'
import { createRequestLimits } from './decision/request-limits.ts'
import { createRequestRunner } from './decision/request-runner.ts'
import { createRequireHost } from './decision/served-hosts.ts'
import { toProblem } from './decision/to-problem.ts'
import { createTrustedProxies } from './decision/trusted-proxies.ts'
import { createConcurrency } from './decision/upstream-concurrency.ts'
import { createFetchRequestReader } from './fetch-request.ts'
import type { GatewayPorts } from './gateway-ports.ts'
import { createHealth, withGroup } from './health.ts'
import { createCommonHeaders } from './http/common-headers.ts'
import type { StreamEnd } from './http/stream-end.ts'
import { viaName } from './http/via.ts'
import { createProxy } from './http/web-proxy.ts'
import type { NamedLimits } from './limits/limit-schema.ts'
import { createGatewayMetrics } from './metrics.ts'
import { createUpstreamDocuments } from './openapi/upstream-documents.ts'
import { createOriginLinks } from './origin-api/origin-links.ts'
import { createThrowIfInsufficient } from './policy/assurance.ts'
import { createAuthorize, createOffer } from './policy/authorization.ts'
import { createLivePolicy } from './policy/live-policy.ts'
import type { PolicyRow } from './policy/policy.ts'
import { createLimiter } from './rate-limit/limiter.ts'
import { createRevocations } from './revocation/revocation-index.ts'
import { routes } from './routes.ts'
import { createApiKeys } from './tokens/api-keys.ts'
import { createAssertionKeys } from './tokens/assertion-keys.ts'
import { createAssertionSigner } from './tokens/assertion-signer.ts'
import { createLegacyTokenTest } from './tokens/legacy-tokens.ts'
import { createTokenVerifier } from './tokens/token-verifier.ts'
import { createUrlTokenVerifier } from './tokens/url-token-verifier.ts'
import type { VerifiedToken } from './tokens/verified-token.ts'

/** The base URL of each upstream, by its name in the policy table. */
export function upstreamsOf({ UPSTREAMS, ORIGIN_URL }: Pick<GatewayConfig, 'UPSTREAMS' | 'ORIGIN_URL'>) {
  return { ...UPSTREAMS, origin: ORIGIN_URL }
}

/** By default the issuer's host in production, and elsewhere every host. */
function servedHosts({ GATEWAY_HOSTS, NODE_ENV, ISSUER_URL }: GatewayConfig): readonly string[] | undefined {
  if (GATEWAY_HOSTS) return GATEWAY_HOSTS
  return NODE_ENV === 'production' ? [new URL(ISSUER_URL).hostname] : undefined
}

/**
 * Puts the gateway's parts together, the same on every runtime: the one composition root.
 *
 * @throws PolicyFileError, PolicyRowError for a policy that cannot be used
 */
export async function createGateway<Bindings extends object>(
  config: GatewayConfig,
  ports: GatewayPorts<Bindings>,
  rows: readonly PolicyRow[] = routes,
  limitsOfRows: NamedLimits = {},
) {
  const { transport, waitUntil, now, log, beginSpan } = ports
  const { importSigner = importWebSigner, isStopping = () => false, pages = new Map() } = ports
  const upstreams = upstreamsOf(config)
  const baseUrlOf = (name: string) => {
    const baseUrl = Object.entries(upstreams).find(([upstream]) => upstream === name)?.[1]
    if (baseUrl === undefined) throw new Error(`no upstream ${name}`)
    return baseUrl
  }
  const metrics = createGatewayMetrics(Object.keys(upstreams))

  const own = await importSigner(config.ASSERTION_PRIVATE_JWK)
  const ownAssertionFor = createAssertionSigner({ signer: own, now })
  const revocations = createRevocations({ now })
  const links = createOriginLinks({
    config,
    ports,
    assertionFor: ownAssertionFor,
    revocations,
    onSynced: metrics.recordRevocationLag,
    onAssertionRejected: () => metrics.recordAssertionRejection('origin'),
  })
  const {
    origin,
    keys,
    plans,
    revocationSync,
    rateLimitReporter,
    denialReporter,
    keyUseReporter,
    usageReporter,
  } = links
  const { policy, requireKnownNames, usePolicyFile, findRow } = createLivePolicy({
    rows,
    isBuiltIn: rows === routes,
    limits: limitsOfRows,
    file: ports.policyFile,
    upstreams: Object.keys(upstreams),
    plans,
  })
  const assertionKeys =
    config.ASSERTION_KEYS === 'origin'
      ? createAssertionKeys({ own, fetchKey: links.fetchAssertionKey, importSigner, waitUntil, now, log })
      : undefined
  const assertionFor = assertionKeys
    ? createAssertionSigner({ signer: assertionKeys.signer, now })
    : ownAssertionFor
  const limitBackend = ports.createLimitBackend({ config, revocations, revocationSync, now, log })
  const tokens = createTokenVerifier({
    keys,
    issuer: config.ISSUER_URL,
    audience: config.ACCESS_TOKEN_AUDIENCE,
    recheckSeconds: config.JWKS_CACHE_SECONDS,
    now,
    digest: ports.digest,
    isLegacy: createLegacyTokenTest(config.LEGACY_ISSUERS, now),
    onLookup: metrics.recordTokenLookup,
  })
  const offer = createOffer({ plans, upgradePage: config.UPGRADE_URL })
  const apiKeys = createApiKeys({
    exchange: links.exchangeApiKey,
    tokens,
    digest: ports.digest,
    recheckSeconds: config.JWKS_CACHE_SECONDS,
    lacksFeature: ({ feature, plan }) =>
      featureProblem({ lacking: feature, required: [feature], plan }, offer),
    onExchange: metrics.recordApiKeyExchange,
    waitUntil,
    now,
  })
  const concurrency = createConcurrency(config.UPSTREAM_REQUESTS)
  const requireHost = createRequireHost(servedHosts(config))

  const { decide, explain } = createDecide({
    requireHost,
    viaName: await viaName(config),
    readClientInfo: createTrustedProxies({
      hops: config.TRUSTED_PROXY_HOPS,
      cidrs: config.TRUSTED_PROXY_CIDRS,
      header: config.TRUSTED_PROXY_HEADER,
    }),
    policy,
    tokens,
    urlTokens: createUrlTokenVerifier({
      keys,
      issuer: config.ISSUER_URL,
      audience: config.ACCESS_TOKEN_AUDIENCE,
      now,
    }),
    apiKeys,
    keyUses: keyUseReporter,
    throwIfRevoked: limitBackend.throwIfRevoked,
    limits: createRequestLimits(config, policy),
    limiter: createLimiter({
      limitConsumer: limitBackend.limitConsumer,
      now,
      onDecision: metrics.recordLimitDecision,
    }),
    recordRejection: rateLimitReporter.record,
    recordUsage: usageReporter.record,
    authorize: createAuthorize({
      plans,
      upgradePage: config.UPGRADE_URL,
      onDenied: denialReporter.record,
    }),
    throwIfInsufficient: createThrowIfInsufficient({ aal2FromLevel: config.MFA_REQUIRED_FROM_LEVEL, now }),
    assertionFor,
    upstreams,
    concurrency,
  })
  const commonHeaders = createCommonHeaders({
    origins: config.CORS_ORIGINS,
    exposedHeaders: config.CORS_EXPOSED_HEADERS,
    requestHeaders: config.CORS_REQUEST_HEADERS,
    maxAgeSeconds: config.CORS_MAX_AGE_SECONDS,
  })
  const lifecycle = { log, beginSpan, onResponse: metrics.recordResponse }
  const reportError = createErrorReporter({ log, toProblem, onProblem: metrics.recordRejection })
  const requests = createRequestRunner({ decide, reportError })
  const checkHealth = createHealth({
    keys,
    askOrigin: () => origin.get('/ready'),
    limiterHealth: limitBackend.limiterHealth,
    revocationHealth: limitBackend.revocationHealth,
    isStopping,
    waitUntil,
    now,
  })
  const app = createApp<Bindings>({
    requests,
    forward: createProxy({
      transport,
      uploadIdleMs: config.UPLOAD_IDLE_SECONDS * 1000,
      onUpstreamResponse: metrics.recordUpstreamResponse,
    }),
    readFetchRequest: createFetchRequestReader(ports),
    checkHealth: withGroup(checkHealth, ports.groupHealth),
    commonHeaders,
    findRow,
    pages,
    allowedMethods: createAllowedMethods({ policy, pages, requireHost }),
    reportError,
    lifecycle,
  })
  await Promise.all([keys.refresh(), plans.refresh(), limitBackend.start(), assertionKeys?.refresh()])

  return {
    app,
    /** Decides and forwards requests, for a runtime with a proxy of its own. */
    requests,
    createLifecycle: (method: string, path: string) => new RequestLifecycle(lifecycle, method, path),
    /** Health of this process alone. */
    checkHealth,
    /** Counts since the start. */
    metrics,
    /** The state of the parts at this moment. */
    gauges: {
      keySetAgeSeconds: keys.ageSeconds,
      tokensRemembered: () => tokens.size,
      revocationEntries: () => revocations.size,
      requestsInProgress: concurrency.inFlight,
      rejectionsUnreported: rateLimitReporter.unreported,
    },
    requireKnownNames,
    usePolicyFile,
    findRow,
    commonHeaders,
    /** The API descriptions of upstreams, for the gateway's own. */
    upstreamDocuments: createUpstreamDocuments({
      async request(upstream, target, bounds) {
        const headers = new Headers({ accept: 'application/json' })
        headers.set(assertionHeader, await assertionFor(null, upstream))
        const baseUrl = baseUrlOf(upstream)
        return transport({ baseUrl, target, method: 'GET', headers, body: null, isFresh: false, ...bounds })
      },
      log,
    }),
    /** Takes the steps of a decision one by one, for tools. */
    explain,
    /** Why a stream of this caller has to end; undefined while its token is valid. */
    findStreamEnd({
      identity,
      expiresAt,
    }: Pick<VerifiedToken, 'identity' | 'expiresAt'>): StreamEnd | undefined {
      if (expiresAt + clockLeewaySeconds <= now() / 1000) return 'token_expired'
      const verdict = revocations.evaluate(identity)
      return verdict === 'good' ? undefined : verdict
    },
    /** Resolves when revocations that were committed before the call are known here. */
    syncRevocations: revocationSync.sync,
    /** The source of revocations, and its age. */
    revocationState: revocationSync.state,
    /** Reports to the origin now: rejected requests and uses of API keys. */
    async flushReports() {
      await Promise.all([
        rateLimitReporter.flush(),
        denialReporter.flush(),
        keyUseReporter.flush(),
        usageReporter.flush(),
      ])
    },
    /** Ends what runs beside the requests. */
    async close() {
      await revocationSync.stop()
      await Promise.all([
        rateLimitReporter.close(),
        denialReporter.close(),
        keyUseReporter.close(),
        usageReporter.close(),
      ])
    },
  }
}

export type Gateway<Bindings extends object> = Awaited<ReturnType<typeof createGateway<Bindings>>>
