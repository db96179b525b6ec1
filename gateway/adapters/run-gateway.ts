import { ConfigError, type VariableName } from '../../shared/config.ts'
import { runService, type ServiceProcess } from '../../shared/node/run-service.ts'
import type { ServiceServer } from '../../shared/node/service-server.ts'
import { type GatewayConfig, gatewayVariables } from '../config.ts'
import { createGateway, type Gateway } from '../gateway.ts'
import type { Peer, Transport } from '../ports.ts'
import type { Pages } from '../web-ui/pages.ts'
import { startApiDescription } from './node/api-description.ts'
import { createNodePorts, requireUsableRedisUrls } from './node/node-ports.ts'
import { createPages } from './node/pages.ts'
import {
  readPolicyFile,
  reportPolicyFile,
  requireUsablePolicyFile,
  startPolicyReload,
} from './node/policy-reload.ts'
import { shareConfig } from './node/processes/process-count.ts'
import type { ProcessGroup } from './node/processes/process-group.ts'
import { startMetricsEndpoint } from './node/telemetry/metrics-endpoint.ts'

export interface GatewayServer extends ServiceServer {
  /** Open connections of clients, where the runtime can count them. */
  connections?: () => Promise<number>
}

export interface GatewayServerOptions extends ServiceProcess<(typeof gatewayVariables)[number]> {
  gateway: Gateway<Peer>
  pages: Pages
}

/** The parts that a runtime adds to a gateway: its transport upstream, and its server. */
interface RuntimeParts {
  /** Sends requests upstream: the gateway's own, and all where the Hono app proxies. */
  transport: Transport
  createServer: (options: GatewayServerOptions) => GatewayServer
  /** Called when the last request is done. */
  close: () => Promise<void>
}

/** A runtime that has Node's modules, but perhaps a server and a fetch of its own. */
interface Runtime {
  /** Variables that the runtime cannot honour, and why. */
  unavailable?: Partial<Record<VariableName, string>>
  /** The processes on one port that this one is of, where there are several. */
  group?: ProcessGroup | undefined
  createRuntimeParts: (config: GatewayConfig) => RuntimeParts
}

/** @throws ConfigError */
function requireAvailable(unavailable: Partial<Record<VariableName, string>>): void {
  const set = Object.entries(unavailable).filter(([name]) => process.env[name])
  if (set.length > 0) throw new ConfigError(set.map(([name, reason]) => `${name} ${reason}`))
}

/** Runs the gateway as a process of its own, on Node, Bun or Deno. */
export const runGateway = ({ unavailable = {}, group, createRuntimeParts }: Runtime): Promise<void> =>
  runService({
    name: 'gateway',
    variables: gatewayVariables,
    portVariable: 'GATEWAY_PORT',

    requireUsable(config) {
      requireAvailable(unavailable)
      requireUsablePolicyFile(config)
    },

    async start(serviceProcess) {
      const { log, beginSpan, isStopping } = serviceProcess
      const config = group ? shareConfig(serviceProcess.config, group.count) : serviceProcess.config
      await requireUsableRedisUrls(config)
      const { ports, rateLimiting, close: closePorts } = createNodePorts(config, log)
      const { transport, createServer, close: closeConnections } = createRuntimeParts(config)
      const policyFile = config.POLICY_FILE ? readPolicyFile(config.POLICY_FILE) : undefined
      const pages = createPages(config, policyFile)
      const gateway = await createGateway<Peer>(config, {
        ...ports,
        transport,
        peerAddress: ({ address }) => address,
        socketScheme: () => 'http',
        isStopping,
        groupHealth: group?.health,
        beginSpan,
        policyFile,
        pages: pages.byPath,
      })
      const server = createServer({ ...serviceProcess, config, gateway, pages: pages.byPath })
      const { connections } = server
      const metricsEndpoint = await startMetricsEndpoint({
        config,
        gateway,
        rateLimiting,
        connections,
        group,
        now: ports.now,
        log,
      })
      reportPolicyFile(config.POLICY_FILE, gateway)
      const description = startApiDescription({
        pages,
        documents: gateway.upstreamDocuments,
        file: policyFile,
        log,
      })
      const policyReload = startPolicyReload({
        path: config.POLICY_FILE,
        gateway,
        pages: description,
        log,
      })

      return {
        server,
        async close() {
          policyReload.stop()
          description.stop()
          await gateway.close()
          await closeConnections()
          closePorts()
          await metricsEndpoint.close()
        },
      }
    },
  })
