import { hash } from 'node:crypto'
import type { HttpBindings } from '@hono/node-server'
import { readConfig } from '../../../shared/config.ts'
import { importNodeSigner, importNodeVerifier } from '../../../shared/node/keys.ts'
import { createLog } from '../../../shared/node/log.ts'
import { gatewayVariables } from '../../config.ts'
import type { GatehouseRuntime } from '../../embedded/gatehouse.ts'
import { createCounting } from './counting.ts'
import { createRevocationStream } from './revocation-stream.ts'
import { createDispatcher, createTransport } from './transport.ts'

/**
 * What `gatehouse` needs in an app that @hono/node-server serves: limits and news of revocations by Redis, keys, plans and the feed from the
 * origin, all by the variables of a gateway.
 *
 * @throws ConfigError
 */
export function nodeRuntime(
  environment: Record<string, string | undefined> = process.env,
): GatehouseRuntime<HttpBindings> & { close: () => Promise<void> } {
  const config = readConfig(gatewayVariables, environment)
  const log = createLog('gatehouse', config.LOG_LEVEL)
  const now = Date.now
  const { REDIS_URL: redisUrl, REDIS_KEY_PREFIX: keyPrefix, GATEWAY_REPLICAS: replicas } = config
  const counting = createCounting({ redisUrl, keyPrefix, replicas, now, log })
  const dispatcher = createDispatcher()
  return {
    config,
    ports: {
      transport: createTransport(dispatcher),
      counter: counting.counter,
      nextTurn: setImmediate,
      importVerifier: importNodeVerifier,
      importSigner: importNodeSigner,
      digest: (token) => hash('sha256', token, 'latin1'),
      limiterHealth: counting.health,
      peerAddress: ({ incoming }) => incoming.socket.remoteAddress,
      revocationStream: redisUrl ? createRevocationStream({ redisUrl, keyPrefix, log }) : undefined,
      now,
      log,
    },
    /** After that of the middleware. */
    async close() {
      await dispatcher.close()
      counting.close()
    },
  }
}
