import type { HttpBindings } from '@hono/node-server'
import { vi } from 'vitest'
import { generateSecrets, type Secrets } from '../../../dev/secrets.ts'
import { createReports } from '../../../examples/reports/app.ts'
import { gatewayVariables } from '../../../gateway/config.ts'
import { createGateway } from '../../../gateway/gateway.ts'
import type { GatewayPorts } from '../../../gateway/gateway-ports.ts'
import { createBatchedBackend } from '../../../gateway/limit-backend.ts'
import type { PolicyRow } from '../../../gateway/policy/policy.ts'
import { type RateLimitStore, type Transport, TransportError } from '../../../gateway/ports.ts'
import { createMemoryStore } from '../../../gateway/rate-limit/memory-store.ts'
import { originVariables } from '../../../origin/config.ts'
import { createOrigin } from '../../../origin/origin.ts'
import { createAssertionVerifier } from '../../../shared/auth/assertion.ts'
import { revocationFeedPath } from '../../../shared/auth/revocation.ts'
import { readConfig } from '../../../shared/config.ts'
import type { TokenResponse } from '../../../shared/contract.ts'
import type { HealthCheck } from '../../../shared/http/health.ts'
import { createTestDatabase } from '../../../tools/servers/postgres/test-database.ts'
import { createCapturedLog } from '../captured-log.ts'
import { demoPolicy, demoUrl } from '../demo-policy.ts'

interface FullStackOptions {
  /** Variables over the defaults. */
  environment?: Record<string, string>
  /** Milliseconds since 1970, for the gateway. */
  now?: () => number
  /** Rows in place of those in code and of the demo's policy file. */
  policy?: readonly PolicyRow[]
  rateLimitStore?: RateLimitStore
  limiterHealth?: () => Promise<HealthCheck>
  /**
   * Ports of the gateway for revocations. Without them it reads none by itself, but when a test
   * calls `syncRevocations()`.
   */
  revocations?: Pick<GatewayPorts<object>, 'revocationStream' | 'revocationTickMs'>
  /**
   * State that another full stack left, as a restart finds it. The creator of the database drops
   * it.
   */
  remains?: Remains
}

/** State that outlives the processes. */
interface Remains {
  secrets: Secrets
  databaseUrl: string
}

/** A mail as it was written to the log, where there is no mail server. */
interface LoggedMail {
  to: string
  subject: string
  text: string
}

/** Where a caller sits: what the runtime would know of the socket. */
interface Bindings {
  address: string
}

export type FullStack = Awaited<ReturnType<typeof createFullStack>>

/**
 * Gateway, origin and demo upstream on a real Postgres of their own, joined by an injected fetch
 * instead of sockets.
 */
export async function createFullStack({
  environment = {},
  now = Date.now,
  policy,
  rateLimitStore = createMemoryStore({ shared: true, now: Date.now }),
  limiterHealth = async () => ({ status: 'pass' }),
  revocations,
  remains,
}: FullStackOptions = {}) {
  const database = remains ? { url: remains.databaseUrl, drop: async () => {} } : await createTestDatabase()
  const secrets = remains?.secrets ?? (await generateSecrets())
  const variables = {
    ...secrets,
    DATABASE_URL: database.url,
    DATABASE_POOL_MAX: '10',
    PASSWORD_HASH_COST: '10',
    UPSTREAMS: JSON.stringify({ reports: demoUrl }),
    ...environment,
  }
  const originConfig = readConfig(originVariables, variables)
  const gatewayConfig = readConfig(gatewayVariables, variables)
  const originLog = createCapturedLog('origin')
  const gatewayLog = createCapturedLog('gateway')
  const reportsLog = createCapturedLog('reports')

  const origin = await createOrigin(originConfig, originLog.log)
  const reports = createReports({
    log: reportsLog.log,
    verifyAssertion: await createAssertionVerifier({
      keys: originConfig.ASSERTION_PUBLIC_JWKS.keys,
      audience: 'reports',
    }),
  })

  /** Every request that went upstream, as the upstream got it. */
  const forwarded: Request[] = []
  const upstreams = new Map<string, (request: Request) => Response | Promise<Response>>([
    [gatewayConfig.ORIGIN_URL, origin.app.fetch],
    [demoUrl, reports.fetch],
  ])
  const transport: Transport = async ({ baseUrl, target, method, headers, body, signal }) => {
    const upstream = upstreams.get(baseUrl)
    if (!upstream) throw new TransportError('unreachable', new Error(`nothing stands at ${baseUrl}`))
    const request = new Request(new URL(target, baseUrl), {
      method,
      headers,
      body,
      signal,
      duplex: 'half',
    } as RequestInit)
    if (!target.startsWith(revocationFeedPath)) forwarded.push(request)
    return upstream(request)
  }

  const ports: GatewayPorts<Bindings & Partial<HttpBindings>> = {
    transport,
    createLimitBackend: createBatchedBackend({ rateLimitStore, limiterHealth }),
    peerAddress: ({ address }) => address,
    now,
    log: gatewayLog.log,
    revocationTickMs: null,
    policyFile: policy ? undefined : demoPolicy,
    ...revocations,
  }
  const gateway = await createGateway(gatewayConfig, ports, policy)

  const bases = { gateway: 'http://gateway.test', origin: gatewayConfig.ORIGIN_URL }

  /** Calls the gateway as a client at `address` would. */
  async function call(
    path: string,
    { address = '203.0.113.7', ...init }: RequestInit & Partial<Bindings> = {},
  ) {
    return gateway.app.fetch(new Request(bases.gateway + path, { duplex: 'half', ...init } as RequestInit), {
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

  async function login(email: string, password: string): Promise<TokenResponse> {
    const response = await post('/auth/login', { email, password })
    if (response.status !== 200)
      throw new Error(`login answered ${response.status}: ${await response.text()}`)
    return (await response.json()) as TokenResponse
  }

  /** Registers an account and logs it in. */
  async function signUp(email: string, password = 'correct horse battery') {
    const response = await post('/auth/register', { email, password })
    if (response.status !== 202)
      throw new Error(`register answered ${response.status}: ${await response.text()}`)
    return { email, password, tokens: await login(email, password) }
  }

  /** Every mail to an address up to now, oldest first: waits until none is on its way. */
  async function mails(to: string): Promise<LoggedMail[]> {
    const nonePending = async () => {
      const [row] = await origin.sql`
        select from mail_outbox union all select from reset_requests
        union all select from verification_requests`
      if (row) throw new Error('mail is on its way')
    }
    await vi.waitFor(nonePending, { interval: 5, timeout: 5000 })
    const logged = originLog.lines.filter(({ msg }) => msg === 'mail') as unknown as LoggedMail[]
    return logged.filter((mail) => mail.to === to).map(({ subject, text }) => ({ to, subject, text }))
  }

  /** The token of the link that was mailed to an address last. */
  async function mailedToken(to: string): Promise<string> {
    const links = (await mails(to)).map(({ text }) => /#token=([\w-]+)/.exec(text)?.[1])
    const token = links.filter((link) => link !== undefined).at(-1)
    if (!token) throw new Error(`no link was mailed to ${to}`)
    return token
  }

  return {
    call,
    post,
    login,
    signUp,
    mails,
    mailedToken,
    /** Resolves when the gateway knows what was revoked up to now. */
    syncRevocations: gateway.syncRevocations,
    /** Resolves when the origin has heard which requests were refused up to now. */
    reportsFlushed: gateway.flushReports,
    /** Resolves when the origin has stored what its own limits refused up to now. */
    rejectionsFlushed: origin.flushRejections,
    revocationState: gateway.revocationState,
    requireKnownNames: gateway.requireKnownNames,
    gatewayMetrics: gateway.metrics,
    remains: { secrets, databaseUrl: database.url },
    secrets,
    originConfig,
    gatewayConfig,
    sql: origin.sql,
    originRegistry: origin.registry,
    /** Straight to the origin, around the gateway. */
    origin: origin.app,
    originFetch: (path: string, init?: RequestInit) => origin.app.request(bases.origin + path, init),
    upstreams,
    forwarded,
    logs: { origin: originLog.lines, gateway: gatewayLog.lines, reports: reportsLog.lines },
    async close() {
      await gateway.close()
      await origin.close()
      await database.drop()
    },
  }
}

/** An Authorization header for an access token. */
export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** The refusal's members that every refusal has. */
export async function problem(response: Response) {
  return (await response.json()) as {
    type: string
    status: number
    code: string
    request_id: string
    errors?: { pointer: string; detail: string }[]
    [member: string]: unknown
  }
}
