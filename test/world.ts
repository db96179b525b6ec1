import type { HttpBindings } from '@hono/node-server'
import { generateSecrets } from '../dev/secrets.ts'
import { createReports } from '../examples/reports/app.ts'
import { createMemoryCounter } from '../gateway/adapters/memory.ts'
import { buildGateway, type GatewayPorts } from '../gateway/build.ts'
import { gatewayVariables } from '../gateway/config.ts'
import type { RouteRow } from '../gateway/policy.ts'
import { type Transport, TransportError } from '../gateway/ports.ts'
import { buildOrigin } from '../origin/build.ts'
import { originVariables } from '../origin/config.ts'
import { readConfig } from '../shared/config.ts'
import type { TokenAnswer } from '../shared/contract.ts'
import { createAssertionOpener } from '../shared/identity.ts'
import { createCapturedLog } from './captured-log.ts'
import { createTestDatabase } from './servers/test-database.ts'

interface WorldOptions {
  /** Variables over the defaults. */
  environment?: Record<string, string>
  /** Milliseconds since 1970, for the gateway. */
  now?: () => number
  policy?: readonly RouteRow[]
  counter?: GatewayPorts<object>['counter']
}

/** Where a caller sits: what the runtime would know of the socket. */
interface Bindings {
  address: string
}

export type World = Awaited<ReturnType<typeof createWorld>>

/** Gateway, origin and demo upstream on a real Postgres of their own, joined by an injected fetch instead of sockets. */
export async function createWorld({ environment = {}, now = Date.now, policy, counter }: WorldOptions = {}) {
  const database = await createTestDatabase()
  const secrets = await generateSecrets()
  const variables = {
    ...secrets,
    DATABASE_URL: database.url,
    DATABASE_POOL_MAX: '10',
    PASSWORD_HASH_COST: '10',
    ...environment,
  }
  const originConfig = readConfig(originVariables, variables)
  const gatewayConfig = readConfig(gatewayVariables, variables)
  const originLog = createCapturedLog('origin')
  const gatewayLog = createCapturedLog('gateway')
  const reportsLog = createCapturedLog('reports')

  const origin = await buildOrigin(originConfig, originLog.log)
  const reports = createReports({
    log: reportsLog.log,
    openAssertion: await createAssertionOpener({
      keys: originConfig.ASSERTION_PUBLIC_JWKS.keys,
      audience: 'reports',
    }),
  })

  /** Every request that went upstream, as the upstream got it. */
  const forwarded: Request[] = []
  const upstreams = new Map<string, (request: Request) => Response | Promise<Response>>([
    [gatewayConfig.ORIGIN_URL, origin.app.fetch],
    [gatewayConfig.REPORTS_URL, reports.fetch],
  ])
  const transport: Transport = async ({ origin, target, method, headers, body, signal }) => {
    const upstream = upstreams.get(origin)
    if (!upstream) throw new TransportError('unreachable', new Error(`nothing stands at ${origin}`))
    const request = new Request(new URL(target, origin), {
      method,
      headers,
      body,
      signal,
      duplex: 'half',
    } as RequestInit)
    forwarded.push(request)
    return upstream(request)
  }

  const gateway = await buildGateway<Bindings & Partial<HttpBindings>>(gatewayConfig, {
    transport,
    counter: counter ?? createMemoryCounter({ shared: true }),
    limiterHealth: async () => ({ status: 'pass' }),
    peerAddress: ({ address }) => address,
    now,
    log: gatewayLog.log,
    ...(policy && { policy }),
  })

  const bases = { gateway: 'http://gateway.test', origin: gatewayConfig.ORIGIN_URL }

  /** Calls the gateway as a client at `address` would. */
  async function call(
    path: string,
    { address = '203.0.113.7', ...init }: RequestInit & Partial<Bindings> = {},
  ) {
    return gateway.fetch(new Request(bases.gateway + path, { duplex: 'half', ...init } as RequestInit), {
      address,
    })
  }

  /** Posts JSON to the gateway. */
  function post(path: string, body: unknown, init: RequestInit & Partial<Bindings> = {}) {
    return call(path, {
      method: 'POST',
      ...init,
      headers: { 'content-type': 'application/json', ...init.headers },
      body: JSON.stringify(body),
    })
  }

  async function login(email: string, password: string): Promise<TokenAnswer> {
    const answer = await post('/auth/login', { email, password })
    if (answer.status !== 200) throw new Error(`login answered ${answer.status}: ${await answer.text()}`)
    return (await answer.json()) as TokenAnswer
  }

  /** Registers an account and logs it in. */
  async function signUp(email: string, password = 'correct horse battery') {
    const answer = await post('/auth/register', { email, password })
    if (answer.status !== 202) throw new Error(`register answered ${answer.status}: ${await answer.text()}`)
    return { email, password, tokens: await login(email, password) }
  }

  return {
    call,
    post,
    login,
    signUp,
    secrets,
    originConfig,
    gatewayConfig,
    sql: origin.sql,
    /** Straight to the origin, around the gateway. */
    origin: origin.app,
    originFetch: (path: string, init?: RequestInit) => origin.app.request(bases.origin + path, init),
    upstreams,
    forwarded,
    logs: { origin: originLog.lines, gateway: gatewayLog.lines, reports: reportsLog.lines },
    async close() {
      await origin.close()
      await database.drop()
    },
  }
}

/** An Authorization header for an access token. */
export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** The refusal's members that every refusal has. */
export async function problem(answer: Response) {
  return (await answer.json()) as {
    type: string
    status: number
    code: string
    request_id: string
    errors?: { pointer: string; detail: string }[]
    [member: string]: unknown
  }
}
