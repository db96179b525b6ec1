import { hash } from 'node:crypto'
import type { Log } from '../../../shared/lib/log.ts'
import { importNodeSigner, importNodeVerifier } from '../../../shared/node/keys.ts'
import { requireReadableFiles, requireUsableRedis } from '../../../shared/node/redis-check.ts'
import type { GatewayConfig } from '../../config.ts'
import type { GatewayPorts } from '../../gateway-ports.ts'
import { createBatchedBackend } from '../../limit-backend.ts'
import { createRateLimitStore } from './rate-limit-store.ts'
import { createRevocationStream } from './revocation-stream.ts'

type NodePortsConfig = Pick<
  GatewayConfig,
  'REDIS_URL' | 'REVOCATION_REDIS_URL' | 'REDIS_KEY_PREFIX' | 'GATEWAY_REPLICAS'
>

type RedisUrls = Pick<GatewayConfig, 'REDIS_URL' | 'REVOCATION_REDIS_URL'>

const unlessNone = (url: string | undefined) => (url === 'none' ? undefined : url)

/** @throws ConfigError naming the variable and the reason */
export async function requireUsableRedisUrls({ REDIS_URL, REVOCATION_REDIS_URL }: RedisUrls): Promise<void> {
  await requireUsableRedis(REDIS_URL)
  await requireUsableRedis(unlessNone(REVOCATION_REDIS_URL), 'REVOCATION_REDIS_URL')
}

/**
 * The ports of every runtime that has Node's modules, whatever its server and its client are.
 *
 * @throws ConfigError where a file that a Redis URL names cannot be used
 */
export function createNodePorts(config: NodePortsConfig, log: Log) {
  const { REDIS_URL: redisUrl, REDIS_KEY_PREFIX: keyPrefix, GATEWAY_REPLICAS: replicas } = config
  requireReadableFiles(redisUrl)
  requireReadableFiles(unlessNone(config.REVOCATION_REDIS_URL), 'REVOCATION_REDIS_URL')
  /** Without one the gateway reads the feed alone. */
  const streamUrl = unlessNone(config.REVOCATION_REDIS_URL ?? redisUrl)
  const now = Date.now
  const rateLimiting = createRateLimitStore({ redisUrl, keyPrefix, replicas, now, log })
  return {
    ports: {
      createLimitBackend: createBatchedBackend({
        rateLimitStore: rateLimiting.rateLimitStore,
        limiterHealth: rateLimiting.health,
        defer: setImmediate,
      }),
      revocationStream: streamUrl
        ? createRevocationStream({ redisUrl: streamUrl, keyPrefix, log })
        : undefined,
      importVerifier: importNodeVerifier,
      importSigner: importNodeSigner,
      digest: (token) => hash('sha256', token, 'latin1'),
      now,
      log,
    } satisfies Omit<GatewayPorts<never>, 'transport' | 'peerAddress'>,
    /** Rate limiting, for the metrics endpoint. */
    rateLimiting,
    /** Called after the gateway's own `close`, which still counts. */
    close: rateLimiting.close,
  }
}
