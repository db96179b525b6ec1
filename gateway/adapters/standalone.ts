import { setTimeout as sleep } from 'node:timers/promises'
import { ConfigError, type VariableName } from '../../shared/config.ts'
import { configFromEnvironment } from '../../shared/node/environment.ts'
import { exitUnlistenable } from '../../shared/node/http/listen-error.ts'
import { createLog } from '../../shared/node/log.ts'
import { loadTracing } from '../../shared/node/telemetry/tracing.ts'
import { type GatewayConfig, gatewayVariables } from '../config.ts'
import { createGateway } from '../gateway.ts'
import type { Transport } from '../ports.ts'
import { createNodePorts } from './node/node-ports.ts'
import { createPages } from './node/pages.ts'
import {
  readPolicyFile,
  reportPolicyFile,
  requireUsablePolicyFile,
  startPolicyReload,
} from './node/policy-reload.ts'
import { watchGateway } from './node/telemetry/metrics-endpoint.ts'

/** The facts about a request that the server of a runtime knows. */
export interface Peer {
  /** The other end of the socket. */
  address: string | undefined
}

export interface Server {
  /** Takes no new request, and resolves when those under way are answered. */
  drain(): Promise<void>
}

interface Runtime {
  /** Variables that ask for what cannot be had on this runtime, and why. */
  unavailable?: Partial<Record<VariableName, string>>
  /** Listens. @throws Error where it cannot */
  serve(options: {
    hostname: string
    port: number
    fetch: (request: Request, peer: Peer) => Response | Promise<Response>
  }): Server
  createTransport(config: GatewayConfig): Transport
}

/** Variables of the Node server alone. */
const nodeOnly: Partial<Record<VariableName, string>> = {
  CLIENT_STALL_SECONDS: 'bounds stalled clients of the Node server, and this runtime has a server of its own',
  GATEWAY_FAST_PATH: 'switches a part of the Node server, and this runtime has a server of its own',
}

/** @throws ConfigError */
function requireAvailable(unavailable: Partial<Record<VariableName, string>>): void {
  const asked = Object.entries(unavailable).filter(([name]) => process.env[name])
  if (asked.length > 0) throw new ConfigError(asked.map(([name, reason]) => `${name} ${reason}`))
}

/**
 * The gateway as a process of its own on a runtime that has Node's modules too, but a server and a
 * fetch that are better than its imitation of Node's. Listens until SIGTERM or SIGINT, then drains
 * and exits 0.
 */
export async function runStandalone({ unavailable = {}, serve, createTransport }: Runtime): Promise<void> {
  const config = configFromEnvironment(gatewayVariables, (config) => {
    requireAvailable({ ...nodeOnly, ...unavailable })
    requireUsablePolicyFile(config)
  })
  const log = createLog('gateway', config.LOG_LEVEL)
  const { HOST: hostname, GATEWAY_PORT: port, POLICY_FILE: policyFile } = config
  const { ports, rateLimiting, close: closePorts } = createNodePorts(config, log)

  const tracing = await loadTracing('gateway', log)

  const firstPolicyFile = policyFile ? readPolicyFile(policyFile) : undefined
  const pages = createPages(config, firstPolicyFile)

  let stopping = false
  const gateway = await createGateway<Peer>(config, {
    ...ports,
    transport: createTransport(config),
    peerAddress: ({ address }) => address,
    socketScheme: () => 'http',
    isStopping: () => stopping,
    beginSpan: tracing?.beginSpan,
    policyFile: firstPolicyFile,
    pages: pages.byPath,
  })
  const watch = await watchGateway({ config, gateway, rateLimiting, now: ports.now, log })
  reportPolicyFile(policyFile, gateway)
  const policyReload = startPolicyReload({ path: policyFile, gateway, pages, log })
  const server = listen()
  log.info({ hostname, port }, 'listening')

  function listen(): Server {
    try {
      return serve({ hostname, port, fetch: gateway.app.fetch })
    } catch (error) {
      const variables = { host: 'HOST', port: 'GATEWAY_PORT' } as const
      return exitUnlistenable(log, error as NodeJS.ErrnoException, { hostname, port }, variables)
    }
  }

  async function stop(signal: string) {
    if (stopping) return
    stopping = true
    log.info({ signal }, 'stopping')
    await sleep(config.DRAIN_DELAY_SECONDS * 1000)
    const cut = setTimeout(() => process.exit(0), config.DRAIN_SECONDS * 1000)
    await server.drain()
    clearTimeout(cut)
    policyReload.stop()
    await gateway.close()
    closePorts()
    await watch.close()
    await tracing?.close()
    log.info({}, 'stopped')
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(signal))
}
