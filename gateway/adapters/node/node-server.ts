import { fetchListener, type ServerOptions } from '../../../shared/node/http/http-server.ts'
import type { GatewayConfig } from '../../config.ts'
import type { Gateway } from '../../gateway.ts'
import { localPaths } from '../../local-paths.ts'
import type { Peer } from '../../ports.ts'
import type { Pages } from '../../web-ui/pages.ts'
import { attachFastPath } from './fast-path/fast-path-connection.ts'
import { createRequestHandler } from './proxy/request-handler.ts'
import { createStreamRegistry } from './proxy/stream-registry.ts'
import { createWebSocketUpgrade } from './proxy/websocket-upgrade.ts'
import type { Upstreams } from './upstream/pools.ts'
import type { Dispatchers } from './upstream/undici-transport.ts'

interface NodeServerOptions {
  config: GatewayConfig
  gateway: Pick<
    Gateway<Peer>,
    'app' | 'requests' | 'createLifecycle' | 'metrics' | 'findRow' | 'commonHeaders' | 'findStreamEnd'
  >
  pages: Pages
  upstreams: Upstreams
  dispatchers: Pick<Dispatchers, 'fresh'>
  isStopping: () => boolean
  /** Milliseconds between two checks of the tokens of open streams. */
  checkMs?: number
}

/** Idle time of a client's connection. A balancer in front must give its own up earlier. */
export const clientIdleSeconds = 65

/** The options of an HTTP server that serves a gateway on Node, and the streams it keeps open. */
export function createNodeServerOptions(options: NodeServerOptions) {
  const { config, gateway, pages, upstreams, dispatchers, isStopping, checkMs } = options
  const { requests, createLifecycle, metrics, findRow, commonHeaders, findStreamEnd } = gateway
  const streams = createStreamRegistry({ findEnd: findStreamEnd, checkMs })
  const shared = { requests, createLifecycle, commonHeaders, streams }
  const { listener, deadlines, fastPath } = createRequestHandler({
    ...shared,
    upstreams,
    localPaths: new Set([...localPaths, ...pages.keys()]),
    handleLocally: fetchListener((request, { incoming }) =>
      gateway.app.fetch(request, { address: incoming.socket.remoteAddress }),
    ),
    uploadIdleMs: config.UPLOAD_IDLE_SECONDS * 1000,
    onUpstreamResponse: metrics.recordUpstreamResponse,
  })
  const serverOptions: ServerOptions = {
    listener,
    deadlines,
    wrapConnections: config.GATEWAY_FAST_PATH ? attachFastPath(fastPath) : undefined,
    stallSeconds: config.CLIENT_STALL_SECONDS,
    upgrade: createWebSocketUpgrade({
      ...shared,
      isWebSocketRow: (method, target) => findRow(method, target)?.websocket ?? false,
      dispatcher: dispatchers.fresh,
    }),
    commonHeaders: (requestId) => commonHeaders.ofRejection(undefined, undefined, requestId),
    keepAliveSeconds: clientIdleSeconds,
    isStopping,
  }
  return { serverOptions, streams }
}
