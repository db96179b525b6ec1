import { createServer, type ServerResponse } from 'node:http'
import type { Registry } from 'prom-client'
import type { Log } from '../../lib/log.ts'
import { exitUnlistenable } from '../http/listen-error.ts'
import { toOriginForm } from '../http/origin-form.ts'
import { collectProcessMetrics } from './process-metrics.ts'

interface MetricsServerOptions {
  hostname: string
  /** 0 takes a free one. */
  port: number
  registry: Registry
  /** Text of all metrics; by default that of the registry. */
  scrape?: () => Promise<string>
  /** Serves /health in full, unlike the public port. */
  health: () => Response | Promise<Response>
  log: Log
}

/** Scrapes and health checks are small GETs, so connections need no long timeouts. */
const requestSeconds = 10

/**
 * Serves /metrics and /health on a port of their own, which only monitoring can reach: their
 * content helps attackers.
 *
 * @throws Error where the port cannot be had
 */
export async function startMetricsServer({
  hostname,
  port,
  registry,
  scrape = () => registry.metrics(),
  health,
  log,
}: MetricsServerOptions) {
  const pages: Record<string, (response: ServerResponse) => Promise<void>> = {
    async '/metrics'(response) {
      const text = await scrape()
      response.writeHead(200, { 'content-type': registry.contentType }).end(text)
    },
    async '/health'(response) {
      const { status, headers, body } = await toPlain(await health())
      response.writeHead(status, headers).end(body)
    },
  }

  const server = createServer((request, response) => {
    toOriginForm(request)
    const path = request.url?.split('?', 1)[0] ?? ''
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined
    if (!page) return void response.writeHead(404).end()
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return void response.writeHead(405, { allow: 'GET, HEAD' }).end()
    page(response).catch((error) => {
      log.error({ err: error, path }, 'metrics not served')
      response.writeHead(500).end()
    })
  })
  server.requestTimeout = requestSeconds * 1000
  server.headersTimeout = requestSeconds * 1000

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, hostname, resolve)
  })
  const address = server.address() as { port: number }
  log.info({ hostname, port: address.port }, 'metrics served')

  return {
    port: address.port,
    /** A pending scrape is cut. */
    async close(): Promise<void> {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

interface ProcessOptions extends Omit<MetricsServerOptions, 'port'> {
  port: number | undefined
  /** The variable that `port` is from. */
  portVariable: string
  service: string
}

/**
 * The same for a process, with process metrics. Without a port nothing is served. A port that is in
 * use ends the process, as for the public port, so that no process runs unmonitored by mistake.
 */
export async function serveMetrics(options: ProcessOptions) {
  const { hostname, port, portVariable, service, log } = options
  if (port === undefined) {
    log.info({}, 'metrics not served: no port is set')
    return { close: async () => {} }
  }
  collectProcessMetrics(options.registry, service)
  return startMetricsServer({ ...options, port }).catch((error: NodeJS.ErrnoException) => {
    exitUnlistenable(log, error, { hostname, port }, { host: 'METRICS_HOST', port: portVariable })
  })
}

async function toPlain(response: Response) {
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: await response.text(),
  }
}
