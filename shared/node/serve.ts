import type { Server } from 'node:http'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import type { Log } from '../log.ts'

/** A head fits into a few packets: who takes longer holds sockets open. */
const headersSeconds = 15

/** The longest a whole request may take to arrive. */
const requestSeconds = 60

interface ServeOptions {
  fetch: (request: Request, env: HttpBindings) => Response | Promise<Response>
  hostname: string
  port: number
  log: Log
  /** Kept above the idle time of whoever pools connections to us, so that a request never meets a closing socket. */
  keepAliveSeconds: number
  /** How long requests under way may take after a stop signal before their sockets are cut. */
  drainSeconds: number
  /** Called first on a stop signal: readiness goes off here. */
  onStopping: () => void
  /** Called when the last request is done: pools close here. */
  onStopped: () => Promise<void>
}

/** The server that every service of ours runs on, not listening yet. */
export function createHttpServer({
  fetch,
  keepAliveSeconds,
}: Pick<ServeOptions, 'fetch' | 'keepAliveSeconds'>): Server {
  const server = createAdaptorServer({
    fetch: fetch as (request: Request) => Response | Promise<Response>,
  }) as Server
  server.keepAliveTimeout = keepAliveSeconds * 1000
  server.headersTimeout = headersSeconds * 1000
  server.requestTimeout = requestSeconds * 1000
  return server
}

/** Listens until SIGTERM or SIGINT, then drains and exits 0. */
export async function serveUntilStopped(options: ServeOptions): Promise<void> {
  const { log, hostname, port } = options
  const server = createHttpServer(options)

  let stopping = false
  async function stop(signal: string) {
    if (stopping) return
    stopping = true
    log.info({ signal }, 'stopping')
    options.onStopping()
    const cut = setTimeout(() => server.closeAllConnections(), options.drainSeconds * 1000)
    await new Promise((resolve) => server.close(resolve))
    clearTimeout(cut)
    await options.onStopped()
    log.info({}, 'stopped')
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(signal))

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, hostname, resolve)
  }).catch((error: NodeJS.ErrnoException) => {
    log.error({ hostname, port, reason: error.code }, `cannot listen on ${hostname}:${port}`)
    process.exit(1)
  })
  log.info({ hostname, port }, 'listening')
}
