import type { Context, MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import type { Identity } from '../../shared/auth/claims.ts'
import { problemResponse } from '../../shared/http/errors.ts'
import { requestIdHeader } from '../../shared/http/headers.ts'
import { createErrorReporter } from '../../shared/http/report-error.ts'
import { RequestLifecycle } from '../../shared/http/request-lifecycle.ts'
import type { GatewayConfig } from '../config.ts'
import { Admission } from '../decision/admission.ts'
import type { RuntimeRequest } from '../decision/request-runner.ts'
import { toProblem } from '../decision/to-problem.ts'
import { createFetchRequestReader } from '../fetch-request.ts'
import { createGateway } from '../gateway.ts'
import type { GatewayPorts } from '../gateway-ports.ts'
import { tooLarge } from '../http/request-body.ts'
import { withCaching } from '../http/response-caching.ts'
import type { NamedLimits } from '../limits/limit-schema.ts'
import { compilePolicy, type PolicyRow } from '../policy/policy.ts'
import { type PolicyFile, readPolicyFile } from '../policy/policy-file.ts'
import { logUnknownNames } from '../policy/policy-names.ts'
import { toPlainIdentity } from '../tokens/identity-interner.ts'

/** A row of the policy table whose upstream is a handler of the same app. */
export type EmbeddedRow = Omit<PolicyRow, 'upstream'> & Partial<Pick<PolicyRow, 'upstream'>>

export interface GatehouseEnv {
  Variables: {
    /** The verified token's claims; null where the row is public. */
    caller: Identity | null
    /** Id of the request in the log and in the body of a rejection. */
    requestId: string
  }
}

/** The gateway's configuration and ports, as an adapter gives them. */
export interface GatehouseRuntime<Bindings extends object> {
  config: GatewayConfig
  ports: GatewayPorts<Bindings>
}

/** Name of the app itself as the upstream of its rows. */
const here = 'here'

/**
 * The gateway's decision as a middleware of a Hono app: the same rows, tokens, revocations, limits
 * and rejections, without a proxy. A path that no row names is 404, so mount the middleware on
 * paths that its rows cover. Security headers and CORS stay with the app.
 *
 * @param policy rows, or a policy file; their upstreams are ignored
 * @throws PolicyFileError, PolicyRowError for a policy that cannot be used
 */
export function gatehouse<Bindings extends object>(
  policy: readonly EmbeddedRow[] | PolicyFile,
  { config, ports }: GatehouseRuntime<Bindings>,
): MiddlewareHandler<GatehouseEnv> & { close: () => Promise<void> } {
  const { rows, limits } = embeddedPolicy(policy)
  compilePolicy(rows, [here], limits)
  const building = createGateway(
    // The app is the only upstream: no request is forwarded under another name.
    { ...config, UPSTREAMS: { [here]: 'http://127.0.0.1' } },
    { ...ports, policyFile: undefined },
    rows,
    limits,
  )
  // Requests reject with the error of a failed start; without a request there is nothing to reject.
  building.then(
    (gateway) => logUnknownNames(gateway, ports.log),
    () => {},
  )
  const readRequest = createFetchRequestReader(ports)
  const reportError = createErrorReporter({ log: ports.log, toProblem })

  function createRuntimeRequest(c: Context): RuntimeRequest<Admission | Response> {
    const lifecycle = new RequestLifecycle({ log: ports.log }, c.req.method, c.req.path)
    lifecycle.begin({ requestId: c.req.header(requestIdHeader) })
    const { requestId } = lifecycle
    return {
      lifecycle,
      readInfo: () => readRequest(c.req.raw, c.env as Bindings, lifecycle),
      hasLeft: () => false,
      isAnswered: () => false,
      forward(admission) {
        admission.enterUpstream()
        return admission
      },
      reject(problem) {
        const response = problemResponse(problem, requestId)
        response.headers.set(requestIdHeader, requestId)
        return response
      },
    }
  }

  const fail = (request: RuntimeRequest<Admission | Response>, error: unknown) =>
    request.reject(reportError(error, request.lifecycle)) as Response

  const middleware = createMiddleware<GatehouseEnv>(async function gatehouse(c, next) {
    const request = createRuntimeRequest(c)
    const { lifecycle } = request
    const { requestId } = lifecycle
    c.set('requestId', requestId)
    const result = await building.then(
      ({ requests }) => requests.run(request),
      (error) => fail(request, error),
    )
    if (!(result instanceof Admission)) {
      // A result is never undefined: `hasLeft` and `isAnswered` are false.
      const rejection = result as Response
      lifecycle.held?.release(rejection.status)
      return rejection
    }
    const { row, caller, apiKey, urlCredential, limitHeaders } = result.decision
    c.set('caller', caller && toPlainIdentity(caller.identity))
    const limited = bodyLimit({
      maxSize: row.body_bytes,
      onError: () => fail(request, tooLarge(row.body_bytes)),
    })
    try {
      const rejection = await limited(c, next)
      // The middleware also returns the result of `next`, which is no rejection.
      if (rejection instanceof Response) c.res = rejection
      result.onResponseHead([...c.res.headers].flat())
    } finally {
      result.release(c.error ? 500 : c.res.status)
    }
    c.header(requestIdHeader, requestId)
    for (let i = 0; i < limitHeaders.length; i += 2) c.header(limitHeaders[i] as string, limitHeaders[i + 1])
    const { status, headers } = c.res
    const caching = withCaching(
      status,
      headers.get('cache-control') ?? undefined,
      // The app sets its own Cache-Control.
      { row: { who: row.who, keys: row.keys, cache_control: undefined }, caller, apiKey, urlCredential },
      [],
    )
    for (let i = 0; i < caching.length; i += 2)
      c.header(caching[i] as string, caching[i + 1], { append: true })
    return undefined
  })

  return Object.assign(middleware, {
    /** Ends what runs beside the requests. */
    close: async () => (await building).close(),
  })
}

function embeddedPolicy(policy: readonly EmbeddedRow[] | PolicyFile): {
  rows: PolicyRow[]
  limits: NamedLimits
} {
  const { rows, limits } =
    'text' in policy ? readPolicyFile(policy.text, policy.name) : { rows: policy.map(asFileRow), limits: {} }
  return { rows: rows.map(({ row }) => ({ ...row, upstream: here })), limits }
}

const asFileRow = (row: EmbeddedRow) => ({ row })
