import { createEncryption } from '../../../origin/keys/encryption.ts'
import { createKeyRing } from '../../../origin/keys/key-ring.ts'
import { createClient } from '../../../origin/oauth/clients/clients.ts'
import type { Scope } from '../../../shared/contract/oauth/scopes.ts'
import { requestIdHeader } from '../../../shared/http/headers.ts'
import { highLimits } from '../high-limits.ts'
import { createFullStack } from './full-stack.ts'

export const operator = { ip: null, userAgent: 'test', requestId: 'test-request' }

/** An OAuth refusal as it arrives. */
export interface OAuthRefusal {
  error: string
  error_description: string
  code: string
  status: number
  request_id: string
}

export type OAuthFullStack = Awaited<ReturnType<typeof createOAuthFullStack>>

/**
 * The endpoints under /oauth on a full stack's database, joined to its accounts by its own /auth
 * endpoints.
 */
export async function createOAuthFullStack(environment: Record<string, string> = {}) {
  const fullStack = await createFullStack({ environment: { ...highLimits, ...environment } })
  const { sql, originConfig } = fullStack
  const keys = await createKeyRing(sql, createEncryption(originConfig.KEY_ENCRYPTION_KEY))
  const issuer = originConfig.ISSUER_URL
  const fetch = (path: string, init?: RequestInit) => fullStack.origin.request(issuer + path, init)

  /** Posts a form without an OAuth client library. */
  function postForm(path: string, form: string | Record<string, string>, headers: HeadersInit = {}) {
    return fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
    })
  }

  return {
    ...fullStack,
    fullStack,
    keys,
    issuer,
    lines: fullStack.logs.origin,
    fetch,
    postForm,

    /** Makes a client. */
    async client(id: string, ...scopes: Scope[]) {
      const issued = await createClient(sql, { id, scopes }, { actorId: null, context: operator })
      if (issued === undefined) throw new Error(`there is a client ${id} already`)
      const { secret } = issued
      return { id, secret, basic: { authorization: basic(id, secret) } }
    },

    /** A service's token by client_secret_basic. */
    async serviceToken(client: { basic: HeadersInit }, scope = '') {
      const response = await postForm(
        '/oauth/token',
        { grant_type: 'client_credentials', scope },
        client.basic,
      )
      if (response.status !== 200)
        throw new Error(`token answered ${response.status}: ${await response.text()}`)
      return ((await response.json()) as { access_token: string }).access_token
    },

    /** The audit trail since its last emptying, oldest first. */
    audit: () =>
      sql<{ action: string; details: Record<string, string>; ip: string | null; request_id: string }[]>`
        select action, details, host(ip) as ip, request_id from audit_logs order by id`,
  }
}

/** Client id and secret without form encoding, which these need not have. */
export const basic = (id: string, secret: string) =>
  `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`

export async function refusal(response: Response) {
  const body = (await response.json()) as OAuthRefusal
  return {
    status: response.status,
    error: body.error,
    code: body.code,
    challenge: response.headers.get('www-authenticate')?.split(' ')[0] ?? null,
    hasRequestId: body.request_id === response.headers.get(requestIdHeader),
    body,
  }
}
