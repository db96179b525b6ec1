import { type Context, Hono } from 'hono'
import { Problem, problemResponse } from '../shared/http/errors.ts'
import { healthResponse } from '../shared/http/health.ts'
import type { ReportError } from '../shared/http/report-error.ts'
import type { LifecycleOptions } from '../shared/http/request-lifecycle.ts'
import { type RequestLogEnv, requestLog } from '../shared/http/request-log.ts'
import type { Awaitable } from '../shared/lib/async.ts'
import type { AllowedMethods } from './allowed-methods.ts'
import type { RequestRunner, RuntimeRequest } from './decision/request-runner.ts'
import { hostOf, type ReadFetchRequest, targetOf } from './fetch-request.ts'
import type { CheckHealth } from './health.ts'
import type { CommonHeaders } from './http/common-headers.ts'
import { cors } from './http/cors.ts'
import { addSecurityHeaders } from './http/security-headers.ts'
import type { createProxy } from './http/web-proxy.ts'
import { formatAllow, ownMethods } from './lib/http-method.ts'
import { localPaths } from './local-paths.ts'
import type { CompiledRow } from './policy/policy.ts'
import { type Page, type Pages, pageResponse } from './web-ui/pages.ts'

interface AppOptions<Bindings> {
  requests: RequestRunner
  forward: ReturnType<typeof createProxy>
  checkHealth: CheckHealth
  readFetchRequest: ReadFetchRequest<Bindings>
  commonHeaders: CommonHeaders
  findRow: (method: string, target: string) => CompiledRow | undefined
  pages: Pages
  allowedMethods: AllowedMethods
  reportError: ReportError
  lifecycle: LifecycleOptions
}

/**
 * The gateway as a Hono app: its own three responses, its pages, and for every other path the
 * policy table and the proxy.
 */
export function createApp<Bindings extends object>(options: AppOptions<Bindings>) {
  const { requests, forward, checkHealth, readFetchRequest, pages, reportError } = options
  type Env = RequestLogEnv & { Bindings: Bindings }
  const app = new Hono<Env>()

  app.use(requestLog(options.lifecycle.log, options.lifecycle))
  // Before the security headers: a page has a content security policy of its own.
  for (const path of pages.keys()) {
    // A new policy file replaces the API description while the gateway runs.
    app.get(path, (c) => pageResponse(pages.get(path) as Page, c.req.header('if-none-match')))
  }
  app.use(addSecurityHeaders())
  app.use(
    cors({
      commonHeaders: options.commonHeaders,
      findRow: (method, url) => options.findRow(method, targetOf(url)),
    }),
  )

  app.get('/live', () => healthResponse({}))
  app.get('/ready', async () => healthResponse(await checkHealth()))
  app.get('/health', async () => healthResponse(await checkHealth()))
  app.options('*', (c) => {
    const host = hostOf(new URL(c.req.url), c.req.header('host'))
    return c.body(null, 204, { allow: options.allowedMethods(targetOf(c.req.url), host) })
  })
  for (const path of [...localPaths, ...pages.keys()])
    app.all(path, () => {
      throw new Problem('method_not_allowed', { headers: { allow: formatAllow(ownMethods) } })
    })

  app.all('*', function proxy(c) {
    // A result is never undefined: `hasLeft` and `isAnswered` are false.
    return requests.run(runtimeRequest(c)) as Awaitable<Response>
  })

  function runtimeRequest(c: Context<Env>): RuntimeRequest<Response> {
    const lifecycle = c.get('lifecycle')
    return {
      lifecycle,
      readInfo: () => readFetchRequest(c.req.raw, c.env, lifecycle),
      hasLeft: () => false,
      isAnswered: () => false,
      forward: (admission) => forward(c.req.raw, admission),
      reject: (problem) => problemResponse(problem, lifecycle.requestId),
    }
  }

  app.onError((error, c) => {
    const lifecycle = c.get('lifecycle')
    return problemResponse(reportError(error, lifecycle), lifecycle.requestId)
  })
  return app
}
