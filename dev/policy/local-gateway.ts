import { gatewayVariables } from '../../gateway/config.ts'
import { createGateway } from '../../gateway/gateway.ts'
import { readHeaders } from '../../gateway/http/request-headers.ts'
import { createBatchedBackend } from '../../gateway/limit-backend.ts'
import type { PolicyFile } from '../../gateway/policy/policy-file.ts'
import type { KnownNames } from '../../gateway/policy/policy-names.ts'
import type { Transport } from '../../gateway/ports.ts'
import { createMemoryStore } from '../../gateway/rate-limit/memory-store.ts'
import { signJwt } from '../../origin/keys/sign-jwt.ts'
import { accessTokenType, frontendClient, type Identity } from '../../shared/auth/claims.ts'
import { generateKey } from '../../shared/auth/jwk.ts'
import { revocationFeedPath } from '../../shared/auth/revocation.ts'
import { readConfig } from '../../shared/config.ts'
import { importNodeSigner, importNodeVerifier } from '../../shared/node/keys.ts'
import { createLog } from '../../shared/node/log.ts'
import { generateSecrets } from '../secrets.ts'

/** Claims of a caller that a decision can depend on. */
export type CallerClaims = Omit<Identity, 'sid' | 'jti'>

interface LocalGatewayOptions {
  file: PolicyFile
  upstreams: readonly string[]
  /** Compared with the rows, where they are known. */
  names?: KnownNames | undefined
  environment: Record<string, string | undefined>
}

const tokenSeconds = 60

/**
 * A gateway in this process that decides as one in service does, by the same code. It signs the
 * tokens of its callers itself, and forwards nothing.
 *
 * @throws PolicyFileError, ConfigError
 */
export async function createLocalGateway({ file, upstreams, names, environment }: LocalGatewayOptions) {
  const { publicJwk, privateJwk } = await generateKey()
  const signer = await importNodeSigner(privateJwk)
  const config = readConfig(gatewayVariables, {
    ...(await generateSecrets()),
    ...environment,
    NODE_ENV: 'development',
    UPSTREAMS: JSON.stringify(Object.fromEntries(upstreams.map((name) => [name, 'http://127.0.0.1:1']))),
    TRUSTED_PROXY_HOPS: '0',
    TRUSTED_PROXY_CIDRS: '',
  })

  const transport: Transport = async ({ target }) => {
    if (target === '/.well-known/jwks.json') return Response.json({ keys: [publicJwk] })
    if (target === '/internal/gateway/plans') return Response.json({ plans: [], ...names })
    if (target.startsWith(revocationFeedPath)) return Response.json({ entries: [], next: '0' })
    return new Response(null, { status: 204 })
  }

  const gateway = await createGateway(config, {
    transport,
    createLimitBackend: createBatchedBackend({
      rateLimitStore: createMemoryStore({ shared: true, now: Date.now }),
      limiterHealth: async () => ({ status: 'pass' }),
    }),
    importSigner: importNodeSigner,
    importVerifier: importNodeVerifier,
    peerAddress: () => undefined,
    revocationTickMs: null,
    now: Date.now,
    log: createLog('policy', 'error'),
    policyFile: file,
  })
  gateway.requireKnownNames()

  const signToken = (claims: CallerClaims) =>
    signJwt(
      signer,
      accessTokenType,
      {
        ...claims,
        sid: crypto.randomUUID(),
        iss: config.ISSUER_URL,
        aud: config.ACCESS_TOKEN_AUDIENCE,
        client_id: frontendClient,
      },
      tokenSeconds,
    )

  return {
    /** The row of a request, and undefined where it matches none. */
    findRow: gateway.findRow,

    /** Decides a request, step by step. */
    async explain(method: string, target: string, caller: CallerClaims | undefined) {
      const { host, protocol } = new URL(config.ISSUER_URL)
      const authorization = caller ? ['authorization', `Bearer ${await signToken(caller)}`] : []
      return gateway.explain({
        method,
        target,
        headers: readHeaders(['host', host, ...authorization]),
        requestId: crypto.randomUUID(),
        peer: '127.0.0.1',
        scheme: protocol === 'https:' ? 'https' : 'http',
      })
    },

    close: gateway.close,
  }
}

export type LocalGateway = Awaited<ReturnType<typeof createLocalGateway>>
