import type { HttpBindings } from '@hono/node-server'
import { generateSecrets } from '../../../dev/secrets.ts'
import { gatewayVariables } from '../../../gateway/config.ts'
import { createGateway } from '../../../gateway/gateway.ts'
import type { GatewayPorts } from '../../../gateway/gateway-ports.ts'
import { createBatchedBackend } from '../../../gateway/limit-backend.ts'
import type { PolicyRow } from '../../../gateway/policy/policy.ts'
import type { Transport, UpstreamRequest } from '../../../gateway/ports.ts'
import { createMemoryStore } from '../../../gateway/rate-limit/memory-store.ts'
import { revocationFeedPath } from '../../../shared/auth/revocation.ts'
import { readConfig } from '../../../shared/config.ts'
import { createCapturedLog } from '../captured-log.ts'
import { demoUrl } from '../demo-policy.ts'
import { createIssuer } from './issuer.ts'

/** Where a caller sits, or the socket itself. */
export type HarnessBindings = { address: string | undefined } & Partial<HttpBindings>

export interface GatewayHarnessOptions
  extends Partial<GatewayPorts<HarnessBindings> & Parameters<typeof createBatchedBackend>[0]> {
  /** Variables over the defaults. */
  environment?: Record<string, string>
  policy?: readonly PolicyRow[]
  /** Response of the demo upstream. */
  upstream?: (request: UpstreamRequest) => Response | Promise<Response>
  /**
   * The origin's response with its key set, by default that of the harness's issuer; throws where
   * the origin is down.
   */
  keys?: (jwks: unknown) => unknown
  /** The origin's response with its revocations; throws where the origin is down. */
  revocations?: (target: string) => unknown
  /** The origin's response with its plans; throws where the origin is down. */
  plans?: () => unknown
  /** The origin's response to a report of usage. */
  usageReports?: (request: UpstreamRequest) => Response | Promise<Response>
}

export const openRow: PolicyRow = {
  method: 'GET',
  path: '/open',
  upstream: 'reports',
  who: 'public',
  limits: ['address'],
}
export const postRow: PolicyRow = { ...openRow, method: 'POST' }
export const closedRow: PolicyRow = { ...openRow, path: '/closed', who: 'user', limits: ['user'] }

/**
 * A gateway with stub upstreams and an issuer that signs any claims. Tests of gateway and origin
 * together use the full stack.
 */
export async function createGatewayHarness({
  environment = {},
  now = Date.now,
  upstream = () => Response.json({ answered: true }),
  keys = (jwks) => jwks,
  plans = () => ({ plans: [] }),
  usageReports = () => new Response(null, { status: 204 }),
  revocations = () => ({ entries: [], next: '1' }),
  policy = [openRow, postRow, closedRow],
  rateLimitStore = createMemoryStore({ shared: true, now: Date.now }),
  limiterHealth = async () => ({ status: 'pass' }),
  defer,
  ...ports
}: GatewayHarnessOptions = {}) {
  const issuer = await createIssuer(now)
  const secrets = await generateSecrets()
  const config = readConfig(gatewayVariables, {
    ...secrets,
    UPSTREAMS: JSON.stringify({ reports: demoUrl }),
    ...environment,
  })
  const { log, lines } = createCapturedLog('gateway')

  /** Requests that reached the demo upstream. */
  const forwarded: UpstreamRequest[] = []
  let keyReads = 0

  const transport: Transport = async (request) => {
    if (request.baseUrl === config.ORIGIN_URL && request.target === '/.well-known/jwks.json') {
      keyReads++
      return Response.json(await keys(issuer.jwks))
    }
    if (request.baseUrl === config.ORIGIN_URL && request.target === '/ready')
      return Response.json({ status: 'pass' })
    if (request.baseUrl === config.ORIGIN_URL && request.target === '/internal/gateway/plans')
      return Response.json(await plans())
    if (request.baseUrl === config.ORIGIN_URL && request.target.startsWith(revocationFeedPath))
      return Response.json(await revocations(request.target))
    // The gateway reports denials some seconds later, possibly after the test.
    if (request.baseUrl === config.ORIGIN_URL && request.target === '/internal/gateway/denials')
      return new Response(null, { status: 204 })
    // Usage is also reported when a test closes the gateway.
    if (request.baseUrl === config.ORIGIN_URL && request.target === '/internal/gateway/usage')
      return usageReports(request)
    forwarded.push(request)
    return upstream(request)
  }

  const harnessPorts: GatewayPorts<HarnessBindings> = {
    transport,
    createLimitBackend: createBatchedBackend({ rateLimitStore, limiterHealth, defer }),
    peerAddress: ({ address, incoming }) => incoming?.socket.remoteAddress ?? address,
    log,
    revocationTickMs: null,
    ...ports,
    now,
  }
  const {
    app,
    requests,
    createLifecycle,
    findRow,
    commonHeaders,
    findStreamEnd,
    metrics,
    close,
    syncRevocations,
    revocationState,
    requireKnownNames,
    upstreamDocuments,
  } = await createGateway(config, harnessPorts, policy)

  /** Calls the gateway as a client at `address` would. */
  async function call(
    target: string,
    { address = '203.0.113.7', ...init }: RequestInit & { address?: string | undefined } = {},
  ): Promise<Response> {
    const request = new Request(`http://gateway.test${target}`, { duplex: 'half', ...init } as RequestInit)
    return app.fetch(request, { address })
  }

  return {
    app,
    requests,
    createLifecycle,
    findRow,
    commonHeaders,
    findStreamEnd,
    metrics,
    close,
    /**
     * Has the gateway read its revocations now: it does not by itself, unless a test sets
     * `revocationTickMs`.
     */
    syncRevocations: syncRevocations,
    requireKnownNames,
    upstreamDocuments,
    revocationState,
    call,
    issuer,
    config,
    secrets,
    log,
    forwarded,
    lines,
    /** How often the origin was asked for its key set. */
    keyReads: () => keyReads,
    /** The request that reached the demo upstream last. */
    last(): UpstreamRequest {
      const request = forwarded.at(-1)
      if (!request) throw new Error('nothing reached the upstream')
      return request
    },
  }
}

export type GatewayHarness = Awaited<ReturnType<typeof createGatewayHarness>>
