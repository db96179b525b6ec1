import type { Context, MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import type { Identity } from '../../shared/auth/claims.ts'
import { problemResponse } from '../../shared/http/errors.ts'
import { requestIdHeader } from '../../shared/http/headers.ts'
import { requestIdFrom } from '../../shared/http/request-id.ts'
import { hostOf, targetOf } from '../app.ts'
import type { GatewayConfig } from '../config.ts'
import type { Admission } from '../decision/admission.ts'
import { logProblem, toProblem } from '../decision/to-problem.ts'
import { buildGateway } from '../gateway.ts'
import type { GatewayPorts } from '../gateway-ports.ts'
import { tooLarge } from '../http/request-body.ts'
import { readHeaders } from '../http/request-headers.ts'
import { compilePolicy, type RouteRow } from '../policy/policy.ts'
import { type PolicyFile, parsePolicyFile } from '../policy/policy-file.ts'
import { logUnknownNames } from '../policy/policy-names.ts'

/** A row of the policy table, where a handler of the same app is what stands behind it. */
export type EmbeddedRow = Omit<RouteRow, 'upstream'> & Partial<Pick<RouteRow, 'upstream'>>

export interface GatehouseEnv {
  Variables: {
    /** Who calls, as the verified token says; null where the row is public. */
    caller: Identity | null
    /** In the log of a rejection, and in its body. */
    requestId: string
  }
}

/**
 * What decides, apart from the policy: the gateway's own configuration and ports, as an adapter
 * hands them in.
 */
export interface GatehouseRuntime<Bindings extends object> {
  config: GatewayConfig
  ports: GatewayPorts<Bindings>
}

/** What takes an upstream's place in rows. */
const here = 'here'

/**
 * The gateway's decision as a middleware of somebody's own Hono app: the same rows, tokens,
 * revocations, limits and rejections, and no proxy. A path that no row names is 404, so mount it
 * where it is to rule. It adds no security headers and no CORS, which are the app's.
 *
 * @param policy rows, or a policy file, whose upstreams mean nothing here
 * @throws PolicyFileError, PolicyRowError for a policy that cannot be used
 */
export function gatehouse<Bindings extends object>(
  policy: readonly EmbeddedRow[] | PolicyFile,
  { config, ports }: GatehouseRuntime<Bindings>,
): MiddlewareHandler<GatehouseEnv> & { close: () => Promise<void> } {
  const rows = rowsOf(policy)
  compilePolicy(rows, [here])
  const building = buildGateway(
    // What a row asks of a caller is held here; there is no origin behind it whose name a request
    // could come under.
    { ...config, UPSTREAMS: { [here]: 'http://127.0.0.1' } },
    { ...ports, policyFile: undefined },
    rows,
  )
  // Whoever asks is told; until then nobody is there to hear.
  building.then(
    (gateway) => logUnknownNames(gateway, ports.log),
    () => {},
  )

  const admit = async (c: Context, requestId: string) => {
    const gateway = await building
    const headers = readHeaders([...c.req.raw.headers].flat())
    const url = new URL(c.req.url)
    const targetScheme = url.protocol === 'https:' ? 'https' : 'http'
    const admission = await gateway.admit({
      method: c.req.method,
      target: targetOf(c),
      headers: { ...headers, host: hostOf(url, headers.host) },
      requestId,
      peer: ports.peerAddress(c.env as Bindings),
      scheme: ports.socketScheme?.(c.env as Bindings) ?? targetScheme,
      targetScheme,
    })
    try {
      admission.enterUpstream()
    } catch (error) {
      admission.ended(toProblem(error).status)
      throw error
    }
    return admission
  }

  const middleware = createMiddleware<GatehouseEnv>(async function gatehouse(c, next) {
    const requestId = requestIdFrom(c.req.header(requestIdHeader))
    c.set('requestId', requestId)
    let admission: Admission
    try {
      admission = await admit(c, requestId)
    } catch (error) {
      return reject(error, requestId)
    }
    const { route, caller, limitHeaders } = admission.decision
    c.set('caller', caller?.identity ?? null)
    const limited = bodyLimit({
      maxSize: route.body_bytes,
      onError: () => reject(tooLarge(route.body_bytes), requestId),
    })
    try {
      const rejection = await limited(c, next)
      // What it hands back of `next` is none.
      if (rejection instanceof Response) c.res = rejection
    } finally {
      admission.ended(c.error ? 500 : c.res.status)
    }
    c.header(requestIdHeader, requestId)
    for (let i = 0; i < limitHeaders.length; i += 2) c.header(limitHeaders[i] as string, limitHeaders[i + 1])
    // What one user was told is nobody else's.
    if (caller && !c.res.headers.has('cache-control')) c.header('cache-control', 'private, no-store')
    return undefined
  })

  function reject(error: unknown, requestId: string): Response {
    const problem = toProblem(error)
    logProblem(ports.log, problem, { requestId, traceId: undefined })
    const answer = problemResponse(problem, requestId)
    answer.headers.set(requestIdHeader, requestId)
    return answer
  }

  return Object.assign(middleware, {
    /** Ends what runs beside the requests. */
    close: async () => (await building).close(),
  })
}

function rowsOf(policy: readonly EmbeddedRow[] | PolicyFile): RouteRow[] {
  const rows = 'text' in policy ? parsePolicyFile(policy.text, policy.name).map(({ row }) => row) : policy
  return rows.map((row) => ({ ...row, upstream: here }))
}
