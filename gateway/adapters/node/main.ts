import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import type { HttpBindings } from '@hono/node-server'
import { configFromEnvironment } from '../../../shared/node/environment.ts'
import { serveUntilStopped } from '../../../shared/node/graceful-server.ts'
import { fetchListener } from '../../../shared/node/http/http-server.ts'
import { createLog } from '../../../shared/node/log.ts'
import { loadTracing } from '../../../shared/node/telemetry/tracing.ts'
import { gatewayVariables } from '../../config.ts'
import { createGateway } from '../../gateway.ts'
import { createCommonHeaders } from '../../http/common-headers.ts'
import { ownPaths } from '../../own-paths.ts'
import { attachFastPath } from './fast-path/fast-path-connection.ts'
import { createNodePorts } from './node-ports.ts'
import { createPages } from './pages.ts'
import {
  readPolicyFile,
  reportPolicyFile,
  requireUsablePolicyFile,
  startPolicyReload,
} from './policy-reload.ts'
import { createRequestHandler } from './proxy/request-handler.ts'
import { createOpenStreams } from './proxy/stream-registry.ts'
import { createWebSocketUpgrade } from './proxy/websocket-upgrade.ts'
import { watchGateway } from './telemetry/metrics-endpoint.ts'
import { createUpstreams } from './upstream/pools.ts'
import { createDispatchers, createTransport } from './upstream/undici-transport.ts'

// In a quiet minute V8 would throw away what it knows of the code: the first second after it would
// cost a third more.
setFlagsFromString('--no-flush-bytecode')

const config = configFromEnvironment(gatewayVariables, requireUsablePolicyFile)
const log = createLog('gateway', config.LOG_LEVEL)
const { POLICY_FILE: policyFile } = config
const { ports, rateLimiting, close: closePorts } = createNodePorts(config, log)
const maxAgeMs = config.UPSTREAM_CONNECTION_SECONDS * 1000
const upstreams = createUpstreams({ maxAgeMs })
const dispatchers = createDispatchers(maxAgeMs)
const commonHeaders = createCommonHeaders(config.CORS_ORIGINS, config.CORS_EXPOSED_HEADERS)

const tracing = await loadTracing('gateway', log)
const beginSpan = tracing?.beginSpan

const firstPolicyFile = policyFile ? readPolicyFile(policyFile) : undefined
const pages = createPages(config, firstPolicyFile)

let stopping = false
/** Of clients; none before the server listens. */
let connections = async () => 0
const gateway = await createGateway<HttpBindings>(config, {
  ...ports,
  transport: createTransport(dispatchers),
  peerAddress: ({ incoming }) => incoming.socket.remoteAddress,
  isStopping: () => stopping,
  beginSpan,
  policyFile: firstPolicyFile,
  pages: pages.byPath,
})

const watch = await watchGateway({
  config,
  gateway,
  rateLimiting,
  connections: () => connections(),
  now: ports.now,
  log,
})

reportPolicyFile(policyFile, gateway)
const policyReload = startPolicyReload({ path: policyFile, gateway, pages, log })

const streams = createOpenStreams({ stillHolds: gateway.stillHolds })

const { fastPath, ...handler } = createRequestHandler({
  requests: gateway.requests,
  createLifecycle: gateway.createLifecycle,
  upstreams,
  ownPaths: new Set([...ownPaths, ...pages.byPath.keys()]),
  handleLocally: fetchListener(gateway.app.fetch),
  commonHeaders,
  streams,
  uploadIdleMs: config.UPLOAD_IDLE_SECONDS * 1000,
  onResponse: gateway.metrics.recordUpstreamResponse,
})

await serveUntilStopped({
  ...handler,
  wrapConnections: config.GATEWAY_FAST_PATH ? attachFastPath(fastPath) : undefined,
  stallSeconds: config.CLIENT_STALL_SECONDS,
  upgrade: createWebSocketUpgrade({
    takesWebSocket: gateway.takesWebSocket,
    requests: gateway.requests,
    createLifecycle: gateway.createLifecycle,
    dispatcher: dispatchers.fresh,
    corsOrigins: config.CORS_ORIGINS,
    commonHeaders,
    streams,
  }),
  commonHeaders: (requestId) => commonHeaders(undefined, requestId),
  hostname: config.HOST,
  port: config.GATEWAY_PORT,
  portVariable: 'GATEWAY_PORT',
  log,
  keepAliveSeconds: 65,
  drainDelaySeconds: config.DRAIN_DELAY_SECONDS,
  drainSeconds: config.DRAIN_SECONDS,
  onListening: (server) => {
    connections = promisify(server.getConnections.bind(server))
  },
  onStopping: () => {
    stopping = true
  },
  onDraining: streams.endAll,
  onStopped: async () => {
    policyReload.stop()
    await gateway.close()
    upstreams.close()
    await dispatchers.close()
    closePorts()
    await watch.close()
    await tracing?.close()
  },
})
