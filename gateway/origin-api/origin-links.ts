import { importWebVerifier } from '../../shared/auth/jwk.ts'
import { successBody } from '../../shared/endpoint/api-client.ts'
import type { GatewayConfig } from '../config.ts'
import type { GatewayPorts } from '../gateway-ports.ts'
import type { Revocations } from '../revocation/revocation-index.ts'
import { createRevocationFollower } from '../revocation/revocation-sync.ts'
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
  onNews: Parameters<typeof createRevocationFollower>[0]['onNews']
  /** Told of each request of the gateway's own that the origin refused for its assertion. */
  onAssertionRejected: () => void
}

/**
 * All that the gateway asks the origin on its own behalf, keys, plans and revocations, and what it
 * tells it, whom it refused.
 */
export function createOriginLinks(options: OriginLinksOptions) {
  const { config, ports, assertionFor, revocations, onNews, onAssertionRejected } = options
  const { transport, ownTransport = transport, importVerifier = importWebVerifier, outlive, now, log } = ports
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
      outlive,
      now,
      log,
    }),
    plans: createPlans({
      fetchPlans: async () => successBody(await origin.readPlanCatalogue()),
      outlive,
      now,
      log,
    }),
    follower: createRevocationFollower({
      revocations,
      readFeed: async (after) => successBody(await origin.readRevocations({ query: { after } })),
      stream: ports.revocationStream,
      tickMs: ports.revocationTickMs,
      onNews,
      outlive,
      now,
      log,
    }),
    rateLimitReporter: createRateLimitReporter({
      post: (batch) => origin.reportRateLimits({ body: batch }),
      outlive,
      log,
    }),
    denialReporter: createDenialReporter({
      post: (batch) => origin.reportDenials({ body: batch }),
      outlive,
      log,
    }),
  }
}
