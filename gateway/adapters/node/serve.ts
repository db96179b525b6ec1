import { setFlagsFromString } from 'node:v8'
import { createServiceServer } from '../../../shared/node/service-server.ts'
import { runGateway } from '../run-gateway.ts'
import { createNodeServerOptions } from './node-server.ts'
import type { ProcessGroup } from './processes/process-group.ts'
import { createUpstreams } from './upstream/pools.ts'
import { createDispatchers, createTransport } from './upstream/undici-transport.ts'

/** Serves requests in this process, alone or as one of several. */
export function serve(group: ProcessGroup | undefined): Promise<void> {
  // Without this flag V8 discards compiled code when idle, and the next second costs a third more.
  setFlagsFromString('--no-flush-bytecode')
  return runGateway({
    group,
    createRuntimeParts(config) {
      const maxAgeMs = config.UPSTREAM_CONNECTION_SECONDS * 1000
      const upstreams = createUpstreams({ maxAgeMs })
      const dispatchers = createDispatchers(maxAgeMs)

      return {
        transport: createTransport(dispatchers),

        createServer(options) {
          const { serverOptions, streams } = createNodeServerOptions({ ...options, upstreams, dispatchers })
          const server = createServiceServer(serverOptions)
          return {
            ...server,
            // Streams and WebSockets would go on for as long as their clients like.
            drain() {
              streams.endAll()
              return server.drain()
            },
            forceClose() {
              streams.endAll()
              server.forceClose()
            },
          }
        },

        async close() {
          upstreams.close()
          await dispatchers.close()
        },
      }
    },
  })
}
