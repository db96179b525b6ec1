import type { Server } from 'node:http'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import type { Log } from '../log.ts'

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

/** Listens until SIGTERM or SIGINT, then drains and exits 0. */
export async function serveUntilStopped(options: ServeOptions): Promise<void> {
  const { log, hostname, port } = options
  const server = createAdaptorServer({
    fetch: options.fetch as (request: Request) => Response | Promise<Response>,
    overrideGlobalObjects: false,
  }) as Server
  server.keepAliveTimeout = options.keepAliveSeconds * 1000
  server.headersTimeout = 15_000
  server.requestTimeout = 60_000

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
