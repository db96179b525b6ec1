import { type Context, Hono } from 'hono'
import { Problem, problemResponse } from '../shared/errors.ts'
import { healthResponse } from '../shared/health.ts'
import type { Log } from '../shared/log.ts'
import { type RequestLogEnv, requestLog } from '../shared/request-log.ts'
import { clientAddress } from './client-address.ts'
import type { Decide } from './decision.ts'
import type { CheckHealth } from './health.ts'
import { allowOrigins } from './middleware/cors.ts'
import { addSecurityHeaders } from './middleware/security-headers.ts'
import type { createProxy } from './proxy.ts'

export interface GatewayOptions<Bindings> {
  decide: Decide
  forward: ReturnType<typeof createProxy>
  checkHealth: CheckHealth
  /** The other end of the socket, as the runtime knows it. */
  peerAddress: (bindings: Bindings) => string | undefined
  trustedHops: number
  corsOrigins: readonly string[]
  log: Log
}

/** The gateway: its own three answers, and for everything else the policy table and the proxy. */
export function createGateway<Bindings extends object>(options: GatewayOptions<Bindings>) {
  const { decide, forward, checkHealth, peerAddress, trustedHops, log } = options
  type Env = RequestLogEnv & { Bindings: Bindings }
  const app = new Hono<Env>()

  app.use(requestLog(log))
  app.use(addSecurityHeaders())
  app.use(allowOrigins(options.corsOrigins))

  app.get('/live', () => healthResponse({}))
  app.get('/ready', async () => healthResponse(await checkHealth()))
  app.get('/health', async () => healthResponse(await checkHealth()))

  app.all('*', async function proxy(c) {
    const { method, headers } = c.req.raw
    const address = clientAddress({
      peer: peerAddress(c.env),
      forwardedFor: headers.get('x-forwarded-for'),
      trustedHops,
    })
    const url = new URL(c.req.url)
    const decision = await decide({
      method,
      target: targetOf(c),
      header: (name) => headers.get(name),
      address,
    })
    const answer = await forward(c.req.raw, decision, {
      address,
      requestId: c.get('requestId'),
      scheme: schemeOf(headers.get('x-forwarded-proto'), url, trustedHops),
      host: url.host,
    })
    for (const [name, value] of Object.entries(decision.limitFields)) answer.headers.set(name, value)
    // What one user was told is nobody else's: no cache on the way keeps it unless the upstream says so.
    if (decision.caller && !answer.headers.has('cache-control'))
      answer.headers.set('cache-control', 'private, no-store')
    return answer
  })

  app.onError((error, c) => {
    const problem = error instanceof Problem ? error : new Problem('internal_error', { cause: error })
    const fields = { request_id: c.get('requestId'), code: problem.code, err: problem.cause }
    if (problem.status >= 500) log.error(fields, 'request failed')
    else if (problem.cause !== undefined) log.info(fields, 'request refused')
    return problemResponse(problem, c.get('requestId'))
  })
  return app
}

/** Behind proxies of ours TLS ends before us: they say what the client spoke. */
function schemeOf(forwardedProto: string | null, url: URL, trustedHops: number): string {
  const said = trustedHops > 0 && forwardedProto?.split(',').at(-1)?.trim()
  return said === 'https' || said === 'http' ? said : url.protocol.slice(0, -1)
}

/** Path and query as the URL has them; Hono's own `path` is decoded in part. */
function targetOf(c: Context): string {
  const url = c.req.url
  return url.slice(url.indexOf('/', url.indexOf('://') + 3))
}
