import { type Context, Hono } from 'hono'
import { Problem, problemResponse } from '../shared/errors.ts'
import { check, type HealthCheck, healthResponse } from '../shared/health.ts'
import type { Log } from '../shared/log.ts'
import { type RequestLogEnv, requestLog } from '../shared/request-log.ts'
import { clientAddress } from './client-address.ts'
import type { Decide } from './decision.ts'
import type { KeySet } from './key-set.ts'
import { allowOrigins } from './middleware/cors.ts'
import { addSecurityHeaders } from './middleware/security-headers.ts'
import type { createProxy } from './proxy.ts'

export interface GatewayOptions<Bindings> {
  decide: Decide
  forward: ReturnType<typeof createProxy>
  keys: Pick<KeySet, 'isUsable' | 'refresh'>
  /** Asks the origin whether it lives. */
  askOrigin: () => Promise<unknown>
  /** How the limits count at this moment. */
  limiterHealth: () => Promise<HealthCheck>
  /** The other end of the socket, as the runtime knows it. */
  peerAddress: (bindings: Bindings) => string | undefined
  trustedHops: number
  corsOrigins: readonly string[]
  log: Log
  isStopping?: () => boolean
}

/** The gateway: its own three answers, and for everything else the policy table and the proxy. */
export function createGateway<Bindings extends object>(options: GatewayOptions<Bindings>) {
  const { decide, forward, keys, peerAddress, trustedHops, log, isStopping = () => false } = options
  type Env = RequestLogEnv & { Bindings: Bindings }
  const app = new Hono<Env>()

  async function checks() {
    await keys.refresh()
    const instance: HealthCheck = isStopping() ? { status: 'fail', detail: 'stopping' } : { status: 'pass' }
    const keySet: HealthCheck = { status: keys.isUsable() ? 'pass' : 'fail' }
    const [origin, limiter] = await Promise.all([check(options.askOrigin), options.limiterHealth()])
    return { instance, key_set: keySet, origin, limiter }
  }

  app.use(requestLog(log))
  app.use(addSecurityHeaders())
  app.use(allowOrigins(options.corsOrigins))

  app.get('/live', () => healthResponse({}))
  app.get('/ready', async () => healthResponse(await checks()))
  app.get('/health', async () => healthResponse(await checks()))

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
      scheme: url.protocol.slice(0, -1),
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

/** Path and query as the URL has them; Hono's own `path` is decoded in part. */
function targetOf(c: Context): string {
  const url = c.req.url
  return url.slice(url.indexOf('/', url.indexOf('://') + 3))
}
