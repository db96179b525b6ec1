import { createFetchServer, nodeServerVariables } from '../fetch-server.ts'
import { createDispatchers, createTransport } from '../node/upstream/undici-transport.ts'
import { runGateway } from '../run-gateway.ts'

/** Used part of the global `Deno`. */
declare const Deno: {
  serve(
    options: { hostname: string; port: number; onListen: () => void },
    handler: (request: Request, info: { remoteAddr: { hostname: string } }) => Response | Promise<Response>,
  ): { shutdown(): Promise<void> }
}

await runGateway({
  unavailable: nodeServerVariables,

  createRuntimeParts({ UPSTREAM_CONNECTION_SECONDS: seconds }) {
    // Deno's fetch has no setting to leave an encoded body alone.
    const dispatchers = createDispatchers(seconds * 1000)
    return {
      transport: createTransport(dispatchers),
      createServer: createFetchServer(({ fetch, ...address }) => {
        const server = Deno.serve({ ...address, onListen: () => {} }, (request, { remoteAddr }) =>
          fetch(request, { address: remoteAddr.hostname }),
        )
        return { drain: () => server.shutdown() }
      }),
      close: dispatchers.close,
    }
  },
})
