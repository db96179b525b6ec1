import { type Context, Hono } from 'hono'
import { Problem, problemResponse } from '../shared/http/errors.ts'
import { healthResponse } from '../shared/http/health.ts'
import { isHost } from '../shared/http/host-header.ts'
import { type RequestLogEnv, requestLog } from '../shared/http/request-log.ts'
import type { BeginSpan } from '../shared/http/tracing.ts'
import type { Log } from '../shared/lib/log.ts'
import type { AllowedMethods } from './allowed-methods.ts'
import type { Decide } from './decision/decide.ts'
import { logProblem, toProblem } from './decision/to-problem.ts'
import type { CheckHealth } from './health.ts'
import { type CorsOptions, cors } from './http/cors.ts'
import { readHeaders } from './http/request-headers.ts'
import { addSecurityHeaders } from './http/security-headers.ts'
import type { createProxy } from './http/web-proxy.ts'
import { formatAllow, ownMethods } from './lib/http-method.ts'
import type { GatewayMetrics } from './metrics.ts'
import { ownPaths } from './own-paths.ts'
import { type Page, type Pages, pageResponse } from './web-ui/pages.ts'

export interface GatewayOptions<Bindings> {
  admit: Decide
  forward: ReturnType<typeof createProxy>
  checkHealth: CheckHealth
  /** The other end of the socket, as the runtime knows it. */
  peerAddress: (bindings: Bindings) => string | undefined
  socketScheme?: ((bindings: Bindings) => 'http' | 'https') | undefined
  cors: CorsOptions
  pages: Pages
  allowedMethods: AllowedMethods
  metrics: Pick<GatewayMetrics, 'recordResponse' | 'recordRejection'>
  beginSpan?: BeginSpan | undefined
  log: Log
}

/**
 * The gateway: its own three answers, its pages, and for everything else the policy table and the
 * proxy.
 */
export function createGateway<Bindings extends object>(options: GatewayOptions<Bindings>) {
  const { admit, forward, checkHealth, peerAddress, socketScheme, pages, metrics, beginSpan, log } = options
  type Env = RequestLogEnv & { Bindings: Bindings }
  const app = new Hono<Env>()

  app.use(requestLog(log, { beginSpan, onResponse: metrics.recordResponse }))
  // Before the headers of all others, as a page has a content security policy of its own.
  for (const path of pages.keys()) {
    // A page may be made anew while the gateway runs.
    app.get(path, (c) => pageResponse(pages.get(path) as Page, c.req.header('if-none-match')))
  }
  app.use(addSecurityHeaders())
  app.use(cors(options.cors))

  app.get('/live', () => healthResponse({}))
  app.get('/ready', async () => healthResponse(await checkHealth()))
  app.get('/health', async () => healthResponse(await checkHealth()))
  app.options('*', (c) => {
    const host = hostOf(new URL(c.req.url), c.req.header('host'))
    return c.body(null, 204, { allow: options.allowedMethods(targetOf(c), host) })
  })
  for (const path of [...ownPaths, ...pages.keys()])
    app.all(path, () => {
      throw new Problem('method_not_allowed', { headers: { allow: formatAllow(ownMethods) } })
    })

  app.all('*', async function proxy(c) {
    const { raw } = c.req
    const url = new URL(c.req.url)
    const headers = readHeaders([...raw.headers].flat())
    const targetScheme = url.protocol === 'https:' ? 'https' : 'http'
    const admission = await admit({
      method: raw.method,
      target: targetOf(c),
      headers: { ...headers, host: hostOf(url, headers.host) },
      requestId: c.get('requestId'),
      peer: peerAddress(c.env),
      scheme: socketScheme?.(c.env) ?? targetScheme,
      targetScheme,
      onward: c.get('onward'),
    })
    c.set('route', admission.decision.route)
    try {
      const response = await forward(raw, admission)
      admission.ended(response.status)
      return response
    } catch (error) {
      admission.ended(toProblem(error).status)
      throw error
    }
  })

  app.onError((error, c) => {
    const problem = toProblem(error)
    metrics.recordRejection(problem)
    if (problem.route) c.set('route', problem.route)
    logProblem(log, problem, { requestId: c.get('requestId'), traceId: c.get('traceId') })
    return problemResponse(problem, c.get('requestId'))
  })
  return app
}

/**
 * The authority of the target. A runtime may keep the Host header to itself, and where the target
 * came in the absolute form, Host does not count (RFC 9112, section 3.2.2).
 *
 * @throws Problem `bad_request` for userinfo
 */
export function hostOf(url: URL, field: string | undefined): string {
  if (url.username !== '' || url.password !== '') throw new Problem('bad_request')
  return field !== undefined && (field.toLowerCase() === url.host || !isHost(field)) ? field : url.host
}

/** Path and query as the URL has them; Hono's own `path` is decoded in part. */
export function targetOf(c: Context): string {
  const url = c.req.url
  return url.slice(url.indexOf('/', url.indexOf('://') + 3))
}
