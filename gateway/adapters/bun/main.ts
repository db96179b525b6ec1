import { createFetchTransport } from '../fetch.ts'
import { runStandalone } from '../standalone.ts'

/** What we use of Bun's global. */
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

/** The longest silence on a connection that Bun can be told to bear. */
const idleSeconds = 255

/** The most that a row of the policy table can allow; by default Bun refuses what is smaller. */
const largestBodyBytes = 1024 ** 3

await runStandalone({
  unavailable: {
    UPSTREAM_CONNECTION_SECONDS: 'is the age of connections to upstreams, and Bun keeps those itself',
  },
  createTransport: () =>
    createFetchTransport({
      fetch,
      settings: { decompress: false, timeout: false },
      freshSettings: { keepalive: false },
    }),
  serve({ fetch, ...address }) {
    const server = Bun.serve({
      ...address,
      idleTimeout: idleSeconds,
      maxRequestBodySize: largestBodyBytes,
      fetch: (request, server) => fetch(request, { address: server.requestIP(request)?.address }),
    })
    return { drain: () => server.stop() }
  },
})
