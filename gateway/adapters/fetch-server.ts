import type { VariableName } from '../../shared/config.ts'
import type { Peer } from '../ports.ts'
import type { GatewayServer, GatewayServerOptions } from './run-gateway.ts'

interface FetchServerOptions {
  hostname: string
  port: number
  fetch: (request: Request, peer: Peer) => Response | Promise<Response>
}

/** Begins to listen. @throws Error where it cannot */
type Serve = (options: FetchServerOptions) => {
  /** Accepts no new request, and resolves when those in progress have been answered. */
  drain(): Promise<void>
}

/** The server of a runtime that takes a fetch handler. It cannot cut single requests. */
export const createFetchServer =
  (serve: Serve) =>
  ({ gateway }: GatewayServerOptions): GatewayServer => {
    let serving: ReturnType<Serve> | undefined
    return {
      listen(address) {
        serving = serve({ ...address, fetch: gateway.app.fetch })
      },
      drain: async () => serving?.drain(),
      forceClose: () => process.exit(0),
    }
  }

/** Variables of the Node server alone, and why another server cannot honour them. */
export const nodeServerVariables: Partial<Record<VariableName, string>> = {
  CLIENT_STALL_SECONDS: 'bounds stalled clients of the Node server, and this runtime has a server of its own',
  GATEWAY_PROCESSES: 'starts processes of Node: start one of this runtime a core, behind a balancer',
  GATEWAY_FAST_PATH: 'switches a part of the Node server, and this runtime has a server of its own',
}
