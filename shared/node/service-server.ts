import { promisify } from 'node:util'
import { createHttpServer, type ServerOptions } from './http/http-server.ts'
import type { Address } from './http/listen-error.ts'

/** The server of a service, on any runtime. */
export interface ServiceServer {
  /** Throws or rejects with the Error where it cannot listen. */
  listen(address: Address): unknown
  /** Accepts no new request, and resolves when those in progress have been answered. */
  drain(): Promise<unknown>
  /** Ends the requests that are left when the time to drain is over. */
  forceClose(): void
}

/** The server of a service on node:http, not listening yet. */
export function createServiceServer(
  options: ServerOptions,
): ServiceServer & { connections: () => Promise<number> } {
  const server = createHttpServer(options)
  return {
    listen: ({ hostname, port }) =>
      new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, hostname, resolve)
      }),
    drain: () => new Promise((resolve) => server.close(resolve)),
    forceClose: () => server.closeAllConnections(),
    /** Open connections of clients; 0 before the server listens. */
    connections: async () => (server.listening ? promisify(server.getConnections.bind(server))() : 0),
  }
}
