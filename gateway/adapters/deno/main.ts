import { createDispatchers, createTransport } from '../node/upstream/undici-transport.ts'
import { runStandalone } from '../standalone.ts'

/** What we use of Deno's global. */
declare const Deno: {
  serve(
    options: { hostname: string; port: number; onListen: () => void },
    handler: (request: Request, info: { remoteAddr: { hostname: string } }) => Response | Promise<Response>,
  ): { shutdown(): Promise<void> }
}

await runStandalone({
  // Deno's fetch has no setting to leave an encoded body alone.
  createTransport: ({ UPSTREAM_CONNECTION_SECONDS: seconds }) =>
    createTransport(createDispatchers(seconds * 1000)),
  serve({ fetch, ...address }) {
    const server = Deno.serve({ ...address, onListen: () => {} }, (request, { remoteAddr }) =>
      fetch(request, { address: remoteAddr.hostname }),
    )
    return { drain: () => server.shutdown() }
  },
})
