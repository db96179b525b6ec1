import { createFetchTransport } from '../fetch.ts'
import { createFetchServer, nodeServerVariables } from '../fetch-server.ts'
import { runGateway } from '../run-gateway.ts'

/** Used part of the global `Bun`. */
declare const Bun: {
  serve(options: {
    hostname: string
    port: number
    idleTimeout: number
    maxRequestBodySize: number
    fetch: (
      request: Request,
      server: { requestIP(request: Request): { address: string } | null },
    ) => Response | Promise<Response>
  }): { stop(): Promise<void> }
}

/** Longest idle timeout that Bun supports. */
const idleSeconds = 255

/** Largest body that a policy row can allow; Bun's default is smaller. */
const maxBodyBytes = 1024 ** 3

await runGateway({
  unavailable: {
    ...nodeServerVariables,
    UPSTREAM_CONNECTION_SECONDS: 'is the age of connections to upstreams, and Bun keeps those itself',
  },

  createRuntimeParts: () => ({
    transport: createFetchTransport({
      fetch,
      settings: { decompress: false, timeout: false },
      freshSettings: { keepalive: false },
    }),
    createServer: createFetchServer(({ fetch, ...address }) => {
      const server = Bun.serve({
        ...address,
        idleTimeout: idleSeconds,
        maxRequestBodySize: maxBodyBytes,
        fetch: (request, server) => fetch(request, { address: server.requestIP(request)?.address }),
      })
      return { drain: () => server.stop() }
    }),
    close: async () => {},
  }),
})
