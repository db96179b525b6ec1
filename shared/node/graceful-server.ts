import type { Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../lib/log.ts'
import { createHttpServer, type ServerOptions } from './http/http-server.ts'
import { exitUnlistenable } from './http/listen-error.ts'

interface ServeOptions extends Omit<ServerOptions, 'isStopping'> {
  hostname: string
  port: number
  /** The variable that `port` is from. */
  portVariable: string
  log: Log
  /** Told of the server when it listens. */
  onListening?: (server: Server) => void
  /**
   * How long requests are still served after a stop signal, while balancers see that readiness is
   * off.
   */
  drainDelaySeconds: number
  /** How long requests under way may take after that before their sockets are cut. */
  drainSeconds: number
  /** Called first on a stop signal: readiness goes off here. */
  onStopping: () => void
  /**
   * Called when nothing new is served any more: what would go on for as long as its client likes
   * ends here.
   */
  onDraining?: () => void
  /** Called when the last request is done: pools close here. */
  onStopped: () => Promise<void>
}

/** Listens until SIGTERM or SIGINT, then drains and exits 0. */
export async function serveUntilStopped(options: ServeOptions): Promise<void> {
  const { log, hostname, port } = options
  let stopping = false
  const server = createHttpServer({ ...options, isStopping: () => stopping })

  async function stop(signal: string) {
    if (stopping) return
    stopping = true
    log.info({ signal }, 'stopping')
    options.onStopping()
    await sleep(options.drainDelaySeconds * 1000)
    const cut = setTimeout(() => {
      options.onDraining?.()
      server.closeAllConnections()
    }, options.drainSeconds * 1000)
    options.onDraining?.()
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
    exitUnlistenable(log, error, { hostname, port }, { host: 'HOST', port: options.portVariable })
  })
  options.onListening?.(server)
  log.info({ hostname, port }, 'listening')
}
