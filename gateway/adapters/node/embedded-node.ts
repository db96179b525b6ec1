import { TLSSocket } from 'node:tls'
import type { HttpBindings } from '@hono/node-server'
import { readConfig } from '../../../shared/config.ts'
import { createLog } from '../../../shared/node/log.ts'
import { gatewayVariables } from '../../config.ts'
import type { GatehouseRuntime } from '../../embed/gatehouse.ts'
import { createNodePorts, requireUsableRedisUrls } from './node-ports.ts'
import { createDispatchers, createTransport } from './upstream/undici-transport.ts'

/**
 * The runtime of `gatehouse` in an app that @hono/node-server serves. Its variables are those of a
 * gateway: limits and revocations come from Redis; keys, plans and the feed from the origin.
 *
 * @throws ConfigError
 */
export function createNodeRuntime(
  environment: Record<string, string | undefined> = process.env,
): GatehouseRuntime<HttpBindings> & { close: () => Promise<void> } {
  const config = readConfig(gatewayVariables, environment)
  const log = createLog('gatehouse', config.LOG_LEVEL)
  const { ports, close } = createNodePorts(config, log)
  // An app is not ended for it: limits count locally, and its health says so.
  requireUsableRedisUrls(config).catch((error) => log.error({ err: error }, 'redis cannot be used'))
  const dispatchers = createDispatchers(config.UPSTREAM_CONNECTION_SECONDS * 1000)
  return {
    config,
    ports: {
      ...ports,
      transport: createTransport(dispatchers),
      peerAddress: ({ incoming }) => incoming.socket.remoteAddress,
      socketScheme: ({ incoming }) => (incoming.socket instanceof TLSSocket ? 'https' : 'http'),
    },
    /** Called after the middleware's own `close`. */
    async close() {
      await dispatchers.close()
      close()
    },
  }
}
