import { importWebVerifier } from '../../shared/auth/jwk.ts'
import { successBody } from '../../shared/endpoint/api-client.ts'
import type { GatewayConfig } from '../config.ts'
import type { GatewayPorts } from '../gateway-ports.ts'
import type { Revocations } from '../revocation/revocation-index.ts'
import { createRevocationSync } from '../revocation/revocation-sync.ts'
import type { AssertionFor } from '../tokens/assertion-signer.ts'
import { createKeySet } from '../tokens/jwks-cache.ts'
import { createDenialReporter } from './denial-reporter.ts'
import { createOriginClient } from './origin-client.ts'
import { createPlans } from './plan-catalogue.ts'
import { createRateLimitReporter } from './rate-limit-reporter.ts'

interface OriginLinksOptions {
  config: Pick<GatewayConfig, 'ORIGIN_URL' | 'JWKS_CACHE_SECONDS'>
  ports: Omit<GatewayPorts<never>, 'peerAddress'>
  assertionFor: AssertionFor
  /** Filled with what the origin says of them. */
  revocations: Revocations
  onSynced: Parameters<typeof createRevocationSync>[0]['onSynced']
  /** Told of each request of the gateway's own that the origin refused for its assertion. */
  onAssertionRejected: () => void
}

/**
 * All that the gateway asks the origin on its own behalf, keys, plans and revocations, and what it
 * tells it, whom it refused.
 */
export function createOriginLinks(options: OriginLinksOptions) {
  const { config, ports, assertionFor, revocations, onSynced, onAssertionRejected } = options
  const {
    transport,
    ownTransport = transport,
    importVerifier = importWebVerifier,
    waitUntil,
    now,
    log,
  } = ports
  const origin = createOriginClient({
    transport: ownTransport,
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
  }
}
