import { importWebVerifier } from '../../shared/auth/jwk.ts'
import { successBody } from '../../shared/endpoint/api-client.ts'
import type { GatewayConfig } from '../config.ts'
import type { GatewayPorts } from '../gateway-ports.ts'
import type { Revocations } from '../revocation/revocation-index.ts'
import { createRevocationSync } from '../revocation/revocation-sync.ts'
import type { AssertionFor } from '../tokens/assertion-signer.ts'
import { createKeySet } from '../tokens/jwks-cache.ts'
import { createDenialReporter } from './denial-reporter.ts'
import { createKeyUseReporter } from './key-use-reporter.ts'
import { createOriginClient } from './origin-client.ts'
import { createPlans } from './plan-catalogue.ts'
import { createRateLimitReporter } from './rate-limit-reporter.ts'
import { createUsageReporter } from './usage-reporter.ts'

interface OriginLinksOptions {
  config: Pick<GatewayConfig, 'ORIGIN_URL' | 'JWKS_CACHE_SECONDS'>
  ports: Omit<GatewayPorts<never>, 'peerAddress'>
  assertionFor: AssertionFor
  /** Filled from the origin's feed and the stream. */
  revocations: Revocations
  onSynced: Parameters<typeof createRevocationSync>[0]['onSynced']
  /** Called when the origin rejects the assertion of a call of the gateway. */
  onAssertionRejected: () => void
}

/**
 * The gateway's own connections to the origin: keys, plans and revocations in, reports of rejected
 * requests out.
 */
export function createOriginLinks(options: OriginLinksOptions) {
  const { config, ports, assertionFor, revocations, onSynced, onAssertionRejected } = options
  const {
    transport,
    originTransport = transport,
    importVerifier = importWebVerifier,
    waitUntil,
    now,
    log,
  } = ports
  const origin = createOriginClient({
    transport: originTransport,
    originUrl: config.ORIGIN_URL,
    assertionFor,
    onAssertionRejected,
  })
  return {
    origin,
    keys: createKeySet({
      fetchKeys: async () => JSON.parse(await origin.get('/.well-known/jwks.json')),
      importVerifier,
      freshSeconds: config.JWKS_CACHE_SECONDS,
      waitUntil,
      now,
      log,
    }),
    plans: createPlans({
      fetchPlans: async () => successBody(await origin.readPlanCatalogue()),
      waitUntil,
      now,
      log,
    }),
    revocationSync: createRevocationSync({
      revocations,
      readFeed: async (after) => successBody(await origin.readRevocations({ query: { after } })),
      stream: ports.revocationStream,
      tickMs: ports.revocationTickMs,
      onSynced,
      waitUntil,
      now,
      log,
    }),
    rateLimitReporter: createRateLimitReporter({
      post: (batch) => origin.reportRateLimits({ body: batch }),
      waitUntil,
      log,
    }),
    denialReporter: createDenialReporter({
      post: (batch) => origin.reportDenials({ body: batch }),
      waitUntil,
      log,
    }),
    fetchAssertionKey: async (request: string) =>
      successBody(await origin.readAssertionKey({ body: { request } })).encrypted_key,
    usageReporter: createUsageReporter({
      post: (report) => origin.reportUsage({ body: report }),
      waitUntil,
      now,
      log,
    }),
    exchangeApiKey: async (hash: string) =>
      successBody(await origin.exchangeApiKey({ body: { key_hash: hash } })),
    keyUseReporter: createKeyUseReporter({
      post: (batch) => origin.reportApiKeyUses({ body: batch }),
      waitUntil,
      now,
      log,
    }),
  }
}
