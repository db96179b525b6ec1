import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { gatewayAudience } from '../../shared/auth/assertion.ts'
import { accessTokenType } from '../../shared/auth/claims.ts'
import { assertionHeader } from '../../shared/http/headers.ts'
import { bearer, problem } from '../../test/support/full-stack/full-stack.ts'
import { createOAuthFullStack, type OAuthFullStack } from '../../test/support/full-stack/oauth-full-stack.ts'
import { assertionFrom } from '../../test/support/full-stack/origin-call.ts'
import { signJwt } from '../keys/sign-jwt.ts'
import { createServiceTokenSigner } from '../oauth/tokens/service-token.ts'

let fullStack: OAuthFullStack
let userToken: string
let userId: string
let token: string
beforeAll(async () => {
  fullStack = await createOAuthFullStack()
  userToken = (await fullStack.signUp('ada@example.com')).tokens.access_token
  userId = decodeJwt(userToken).sub ?? ''
  token = await fullStack.serviceToken(await fullStack.client('crm', 'users.read', 'entitlements.read'))
})
afterAll(() => fullStack.close())
beforeEach(() => fullStack.sql`truncate audit_logs`)

const paths = () => [
  `/internal/users/${userId}`,
  '/internal/users?email=ada@example.com',
  `/internal/users/${userId}/entitlements`,
]
const postEntitlements = (headers: Record<string, string>) =>
  fullStack.originFetch('/internal/entitlements', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ user_ids: [userId] }),
  })

/** Every path of the internal API, called with these headers. */
const askAll = (headers: Record<string, string>) =>
  Promise.all([...paths().map((path) => fullStack.originFetch(path, { headers })), postEntitlements(headers)])

const signed = async (lifeSeconds: number, issuer = fullStack.issuer) => {
  const sign = createServiceTokenSigner({ keys: fullStack.keys, issuer, lifeSeconds })
  return sign({ clientId: 'crm', scopes: ['users.read', 'entitlements.read'] })
}

/** A service's token that is right but for its audience. */
async function foreign() {
  return signJwt(fullStack.keys.signing(), accessTokenType, { ...decodeJwt(token), aud: 'reports' }, 300)
}

describe('/internal', () => {
  test('200: a service with the scope, and the response is uncached', async () => {
    for (const answer of await askAll(bearer(token))) {
      expect(answer.status).toBe(200)
      expect(answer.headers.get('cache-control')).toBe('no-store')
    }
  })

  test("401 token_missing: nothing, or an assertion of the gateway's, be it about a user", async () => {
    const { sub, sid, ...claims } = decodeJwt(userToken)
    const user = { sub, sid, ...claims } as unknown as Parameters<typeof assertionFrom>[1]
    for (const headers of [
      {},
      { [assertionHeader]: await assertionFrom(fullStack) },
      { [assertionHeader]: await assertionFrom(fullStack, user) },
      { [assertionHeader]: await assertionFrom(fullStack, null, { audience: gatewayAudience }) },
    ]) {
      for (const answer of await askAll(headers)) {
        expect(answer.status).toBe(401)
        expect(answer.headers.get('www-authenticate')).toBe('Bearer')
        expect((await problem(answer)).code).toBe('token_missing')
      }
    }
  })

  // The verifier's own tests hold every other forgery against it.
  test("401 invalid_token: a user's token, an assertion as a token, one of another issuer, for another audience or past its end", async () => {
    const wrong = [
      userToken,
      await assertionFrom(fullStack),
      await signed(300, 'https://elsewhere.example'),
      await signed(-60),
      await foreign(),
      'none',
    ]
    for (const authorization of wrong) {
      for (const answer of await askAll(bearer(authorization))) {
        expect(answer.status).toBe(401)
        expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
        expect((await problem(answer)).code).toBe('invalid_token')
      }
    }
  })

  test('403 scope_required: a token without the scope, with its name and an audit row of each', async () => {
    const other = await fullStack.serviceToken(await fullStack.client('billing', 'subscriptions.write'))
    await fullStack.sql`truncate audit_logs`
    const asked = ['users.read', 'users.read', 'entitlements.read', 'entitlements.read']
    const answers = await askAll(bearer(other))
    for (const [index, answer] of answers.entries()) {
      expect(answer.status).toBe(403)
      expect(answer.headers.get('www-authenticate')).toBe('Bearer error="insufficient_scope"')
      expect(await problem(answer)).toMatchObject({ code: 'scope_required', required_scope: asked[index] })
    }
    const rows = await fullStack.audit()
    expect(rows.map(({ action, details }) => ({ action, ...details }))).toEqual(
      expect.arrayContaining(
        asked.map((scope) => ({
          action: 'client.denied',
          client_id: 'billing',
          reason: 'scope_missing',
          scope,
        })),
      ),
    )
    expect(rows).toHaveLength(4)
  })

  test('403 scope_required: the scope of one path opens no other', async () => {
    const readsUsers = await fullStack.serviceToken(await fullStack.client('directory', 'users.read'))
    const statuses = (await askAll(bearer(readsUsers))).map(({ status }) => status)
    expect(statuses).toEqual([200, 200, 403, 403])
  })

  test('500 internal_error: no denial without its audit row', async () => {
    const other = await fullStack.serviceToken(await fullStack.client('auditless', 'subscriptions.write'))
    await fullStack.sql`alter table audit_logs rename to audit_logs_away`
    try {
      expect((await postEntitlements(bearer(other))).status).toBe(500)
    } finally {
      await fullStack.sql`alter table audit_logs_away rename to audit_logs`
    }
  })
})

describe('404 not_found: through the gateway, with any token, and nothing reaches the origin:', () => {
  test.each([
    '/internal/users?email=ada@example.com',
    '/internal/users/00000000-0000-4000-8000-000000000000/entitlements',
    '/internal/entitlements',
    '/internal/gateway/refusals',
    '/internal/gateway/revocations',
    '/internal',
    '//internal/entitlements',
    '/v1/../internal/entitlements',
  ])('%s', async (path) => {
    for (const method of ['GET', 'POST']) {
      const before = fullStack.forwarded.length
      const answer = await fullStack.call(path, { method, headers: bearer(token) })
      expect([400, 404]).toContain(answer.status)
      expect(fullStack.forwarded).toHaveLength(before)
    }
  })
})
