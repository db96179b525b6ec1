import { createDispatcher, createTransport } from '../node/transport.ts'
import { runStandalone } from '../standalone.ts'

/** What we use of Deno's global. */
declare const Deno: {
  serve(
    options: { hostname: string; port: number; onListen: () => void },
    handler: (request: Request, info: { remoteAddr: { hostname: string } }) => Response | Promise<Response>,
  ): { shutdown(): Promise<void> }
}

// Deno's fetch has no setting to leave an encoded body alone.
const transport = createTransport(createDispatcher())

await runStandalone({
  transport,
  serve({ fetch, ...address }) {
    const server = Deno.serve({ ...address, onListen: () => {} }, (request, { remoteAddr }) =>
      fetch(request, { address: remoteAddr.hostname }),
    )
    return { drain: () => server.shutdown() }
  },
})
