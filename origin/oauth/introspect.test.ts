import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import {
  createOAuthFullStack,
  type OAuthFullStack,
  refusal,
} from '../../test/support/full-stack/oauth-full-stack.ts'
import { disableClient } from './clients/clients.ts'

const password = 'correct horse battery'

let fullStack: OAuthFullStack
let watcher: Awaited<ReturnType<OAuthFullStack['client']>>
let billing: Awaited<ReturnType<OAuthFullStack['client']>>
let tokens: TokenResponse

beforeAll(async () => {
  fullStack = await createOAuthFullStack()
  watcher = await fullStack.client('watcher', 'tokens.introspect', 'users.read')
  billing = await fullStack.client('billing', 'users.read')
  await fullStack.signUp('ada@example.com', password)
})
afterAll(() => fullStack.close())

/** Each test begins with one fresh session of an account as it was made. */
beforeEach(async () => {
  await fullStack.sql`update user_accounts set status = 'active', epoch = 0`
  await fullStack.sql`update roles set epoch = 0`
  await fullStack.sql`update subscription_plans set epoch = 0`
  await fullStack.sql`truncate sessions cascade`
  tokens = await fullStack.login('ada@example.com', password)
  await fullStack.sql`truncate audit_logs`
})

const post = (form: string | Record<string, string>, headers: HeadersInit = watcher.basic) =>
  fullStack.postForm('/oauth/introspect', form, headers)

async function introspect(token: string): Promise<unknown> {
  const answer = await post({ token })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  return answer.json()
}

const tokenKinds = ['access_token', 'refresh_token'] as const

describe('POST /oauth/introspect, a live token', () => {
  test("200: a user's access token, by the standard members and no other", async () => {
    const { sub, exp, iat, jti } = decodeJwt(tokens.access_token)
    expect(await introspect(tokens.access_token)).toEqual({
      active: true,
      acr: 'aal1',
      auth_time: expect.any(Number),
      token_type: 'Bearer',
      iss: fullStack.issuer,
      aud: 'gatehouse',
      client_id: 'frontend',
      username: 'ada@example.com',
      sub,
      exp,
      iat,
      jti,
    })
  })

  test("200: a user's refresh token, with its end in seconds and without a token_type", async () => {
    const answer = (await introspect(tokens.refresh_token)) as { iat: number; exp: number }
    expect(answer).toEqual({
      active: true,
      iss: fullStack.issuer,
      client_id: 'frontend',
      sub: decodeJwt(tokens.access_token).sub,
      iat: expect.any(Number),
      exp: expect.any(Number),
    })
    expect(answer.exp - answer.iat).toBe(7 * 86_400)
    expect(Math.abs(answer.iat - Date.now() / 1000)).toBeLessThan(10)
  })

  test("200: a service's token, with its scope", async () => {
    const token = await fullStack.serviceToken(billing)
    expect(await introspect(token)).toMatchObject({
      active: true,
      token_type: 'Bearer',
      aud: 'origin',
      sub: 'billing',
      client_id: 'billing',
      scope: 'users.read',
      jti: decodeJwt(token).jti,
    })
  })

  test.each(['access_token', 'refresh_token', 'nonsense', 'constructor'])(
    '200: token_type_hint %s changes nothing (RFC 7662, section 2.1)',
    async (hint) => {
      for (const token of [tokens.access_token, tokens.refresh_token])
        expect(await (await post({ token, token_type_hint: hint })).json()).toMatchObject({ active: true })
    },
  )

  test('200: a refresh token after a rotation is the new one, not the old', async () => {
    const answer = await fullStack.post('/auth/refresh', { refresh_token: tokens.refresh_token })
    const next = (await answer.json()) as TokenResponse
    expect(await introspect(tokens.refresh_token)).toEqual({ active: false })
    expect(await introspect(next.refresh_token)).toMatchObject({ active: true })
  })
})

describe('POST /oauth/introspect returns exactly {"active":false} (RFC 7662, section 2.2)', () => {
  // The signature is good and the time is not over: only the database knows.
  test.each([
    ['the session has ended', `update sessions set ended_at = now(), end_reason = 'logout'`],
    ['the session is past its absolute end', `update sessions set expires_at = now() - interval '1 second'`],
    ['the session is gone', `delete from sessions`],
    ['the account is disabled', `update user_accounts set status = 'disabled'`],
  ])('%s: neither token', async (_, change) => {
    await fullStack.sql.unsafe(change)
    for (const kind of tokenKinds) expect(await introspect(tokens[kind])).toEqual({ active: false })
  })

  // A token that the gateway rejects as claims_stale must not pass at a service that introspects
  // it.
  test.each(['user_accounts', 'roles', 'subscription_plans'])(
    'an access token from before %s changed; its refresh token lives on',
    async (table) => {
      await fullStack.sql`update ${fullStack.sql(table)} set epoch = epoch + 1`
      expect(await introspect(tokens.access_token)).toEqual({ active: false })
      expect(await introspect(tokens.refresh_token)).toMatchObject({ active: true })
    },
  )

  test('a refresh token idle for longer than its life', async () => {
    await fullStack.sql`update tokens set expires_at = now() - interval '1 second'`
    expect(await introspect(tokens.refresh_token)).toEqual({ active: false })
  })

  test("a secret of another kind in the refresh tokens' table", async () => {
    await fullStack.sql`update tokens set kind = 'password_reset', session_id = null`
    expect(await introspect(tokens.refresh_token)).toEqual({ active: false })
  })

  test('the token of a client that was disabled', async () => {
    const gone = await fullStack.client('gone', 'users.read')
    const token = await fullStack.serviceToken(gone)
    const context = { ip: null, userAgent: null, requestId: 'operator-1' }
    await disableClient(fullStack.sql, 'gone', { actorId: null, context })
    expect(await introspect(token)).toEqual({ active: false })
  })

  test.each([
    ['nonsense', 'x'],
    ['a NUL', 'a\u0000b'],
    ['10 kB', 'A'.repeat(10_000)],
    ['two dots', '..'],
    ['a JWT that is none', 'a.b.c'],
    ['beyond ASCII', 'ä'.repeat(43)],
    ['an unsigned token', `${btoa('{"alg":"none","typ":"at+jwt"}')}.${btoa('{"sub":"x"}')}.`],
  ])('%s', async (_, token) => {
    expect(await introspect(token)).toEqual({ active: false })
  })

  test('an access token with one letter changed, in each of its parts', async () => {
    for (const [index, part] of tokens.access_token.split('.').entries()) {
      const changed = tokens.access_token.split('.')
      changed[index] = (part.startsWith('A') ? 'B' : 'A') + part.slice(1)
      expect(await introspect(changed.join('.'))).toEqual({ active: false })
    }
  })
})

describe('POST /oauth/introspect, a client without permission', () => {
  test('401 invalid_client: no credentials', async () => {
    expect(await refusal(await post({ token: tokens.access_token }, {}))).toMatchObject({
      status: 401,
      error: 'invalid_client',
      challenge: 'Basic',
    })
  })

  test('401 invalid_client: a wrong secret', async () => {
    const form = { token: tokens.access_token, client_id: 'watcher', client_secret: 'wrong' }
    expect(await refusal(await post(form, {}))).toMatchObject({ status: 401, error: 'invalid_client' })
  })

  // Anyone could fish for live tokens: the frontend's name is no secret.
  test('401 invalid_client: the frontend, by its name alone', async () => {
    const form = { token: tokens.access_token, client_id: 'frontend' }
    expect(await refusal(await post(form, {}))).toMatchObject({ status: 401, error: 'invalid_client' })
  })

  test('401 invalid_client: a bearer token in place of credentials', async () => {
    const authorization = `Bearer ${await fullStack.serviceToken(watcher)}`
    expect(await refusal(await post({ token: 'x' }, { authorization }))).toMatchObject({ status: 401 })
  })

  test('403 insufficient_scope: a service without tokens.introspect, on record', async () => {
    expect(await refusal(await post({ token: tokens.access_token }, billing.basic))).toMatchObject({
      status: 403,
      error: 'insufficient_scope',
      code: 'insufficient_scope',
      challenge: null,
    })
    expect(await fullStack.audit()).toMatchObject([
      {
        action: 'client.denied',
        details: { client_id: 'billing', reason: 'scope_missing', scope: 'tokens.introspect' },
      },
    ])
  })

  test('400 invalid_request: no token', async () => {
    expect(await refusal(await post({ token: '' }))).toMatchObject({
      error: 'invalid_request',
      code: 'parameter_missing',
    })
  })

  test('400 invalid_request: two tokens', async () => {
    expect(await refusal(await post('token=a&token=b'))).toMatchObject({ code: 'parameter_repeated' })
  })
})
