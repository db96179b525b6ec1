import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { assertionHeader } from '../../shared/http/headers.ts'
import {
  basic,
  createOAuthFullStack,
  type OAuthFullStack,
  refusal,
} from '../../test/support/full-stack/oauth-full-stack.ts'
import { assertionFrom } from '../../test/support/full-stack/origin-call.ts'
import { disableClient, rotateClientSecret } from './clients/clients.ts'

let fullStack: OAuthFullStack
let billing: Awaited<ReturnType<OAuthFullStack['client']>>
const operator = { ip: null, userAgent: null, requestId: 'operator-1' }

beforeAll(async () => {
  fullStack = await createOAuthFullStack({ REFRESH_GRACE_SECONDS: '0' })
  billing = await fullStack.client('billing', 'entitlements.read', 'users.read')
})
afterAll(() => fullStack.close())
beforeEach(async () => {
  await fullStack.sql`truncate audit_logs`
})

const grant = { grant_type: 'client_credentials' }

function post(form: string | Record<string, string>, headers: HeadersInit = {}) {
  return fullStack.postForm('/oauth/token', form, headers)
}

describe('POST /oauth/token, client_credentials', () => {
  test('200: a response in the form of RFC 6749 with its scope, with no-store, without a refresh token', async () => {
    const answer = await post(grant, billing.basic)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('pragma')).toBe('no-cache')
    expect(await answer.json()).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      token_type: 'Bearer',
      expires_in: 300,
      scope: 'entitlements.read users.read',
    })
  })

  test('200: a token of RFC 9068 for the origin, whose subject is the client', async () => {
    const token = await fullStack.serviceToken(billing)
    const keys = createLocalJWKSet(await (await fullStack.fetch('/.well-known/jwks.json')).json())
    const { payload } = await jwtVerify(token, keys)
    expect(payload).toEqual({
      iss: fullStack.issuer,
      aud: 'origin',
      sub: 'billing',
      client_id: 'billing',
      scope: 'entitlements.read users.read',
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      iat: expect.any(Number),
      exp: (payload.iat ?? 0) + 300,
    })
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: expect.any(String) })
    expect((await jwtVerify(await fullStack.serviceToken(billing), keys)).payload.jti).not.toBe(payload.jti)
  })

  test('200: client_secret_post does as well as client_secret_basic', async () => {
    const answer = await post({ ...grant, client_id: 'billing', client_secret: billing.secret })
    expect(answer.status).toBe(200)
  })

  test.each([
    ['as it is, without form encoding', (id: string, secret: string) => `${id}:${secret}`],
    [
      'with every character escaped',
      (id: string, secret: string) =>
        [id, secret]
          .map((part) => [...part].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join(''))
          .join(':'),
    ],
  ])('200: Basic credentials %s (RFC 6749, section 2.3.1)', async (_, pair) => {
    const encoded = Buffer.from(pair('billing', billing.secret)).toString('base64')
    for (const scheme of ['Basic', 'basic', 'BASIC'])
      expect((await post(grant, { authorization: `${scheme} ${encoded}` })).status).toBe(200)
  })

  test('200: client_id in the body beside Basic, where both name one client', async () => {
    expect((await post({ ...grant, client_id: 'billing' }, billing.basic)).status).toBe(200)
  })

  test('200: an audit row names client, scopes and address', async () => {
    const headers = { ...billing.basic, 'x-request-id': 'token-request-1', 'user-agent': 'billing/1' }
    expect((await post({ ...grant, scope: 'users.read' }, headers)).status).toBe(200)
    expect(await fullStack.audit()).toEqual([
      {
        action: 'client.token_issued',
        details: { client_id: 'billing', scope: 'users.read' },
        ip: null,
        request_id: 'token-request-1',
      },
    ])
  })

  test('200: through the gateway the audit row has the address of the assertion', async () => {
    const forwarded = { 'x-forwarded-for': '198.51.100.9' }
    await post(grant, {
      ...billing.basic,
      ...forwarded,
      [assertionHeader]: await assertionFrom(fullStack.fullStack),
    })
    expect(await fullStack.audit()).toMatchObject([{ action: 'client.token_issued', ip: '198.51.100.9' }])
  })

  // A direct caller of the origin controls every header.
  test('200: without the gateway no header is believed for the address', async () => {
    await post(grant, { ...billing.basic, 'x-forwarded-for': '198.51.100.9' })
    expect(await fullStack.audit()).toMatchObject([{ action: 'client.token_issued', ip: null }])
  })

  test.each([
    ['one of two', 'users.read', 'users.read'],
    ['in another order', 'users.read entitlements.read', 'entitlements.read users.read'],
    ['one twice', 'users.read users.read', 'users.read'],
    ['empty, which is as none (RFC 6749, section 3.2)', '', 'entitlements.read users.read'],
  ])('200: scope narrows: %s', async (_, scope, granted) => {
    expect(await (await post({ ...grant, scope }, billing.basic)).json()).toMatchObject({ scope: granted })
  })

  test.each([
    ['one of ours that the client has not', 'tokens.introspect'],
    ['one it has and one it has not', 'users.read subscriptions.write'],
    ['one nobody knows', 'admin'],
    ['a name of Object.prototype', 'constructor'],
    ['two spaces', 'users.read  entitlements.read'],
    ['a quote', 'users.read "'],
    ['a control character', 'users.read\u0000'],
    ['a tab', 'users.read\tentitlements.read'],
    ['beyond ASCII', 'üsers.read'],
  ])('400 invalid_scope: %s', async (_, scope) => {
    expect(await refusal(await post({ ...grant, scope }, billing.basic))).toMatchObject({
      status: 400,
      error: 'invalid_scope',
      code: 'invalid_scope',
    })
    expect(await fullStack.audit()).not.toContainEqual(
      expect.objectContaining({ action: 'client.token_issued' }),
    )
  })

  test('400 invalid_scope: a request for more than was granted leaves an audit row', async () => {
    await post({ ...grant, scope: 'tokens.introspect' }, billing.basic)
    expect(await fullStack.audit()).toMatchObject([
      { action: 'client.denied', details: { client_id: 'billing', reason: 'scope_not_granted' } },
    ])
  })

  test('400 invalid_scope: a scope that was removed from the closed list', async () => {
    const old = await fullStack.client('old-service', 'users.read')
    await fullStack.sql`update oauth_clients set scopes = '{gone.scope}' where id = 'old-service'`
    expect(await refusal(await post(grant, old.basic))).toMatchObject({ status: 400, error: 'invalid_scope' })
    expect(await refusal(await post({ ...grant, scope: 'gone.scope' }, old.basic))).toMatchObject({
      error: 'invalid_scope',
    })
  })

  test('400 unauthorized_client: the frontend, which has no secret', async () => {
    expect(await refusal(await post({ ...grant, client_id: 'frontend' }))).toMatchObject({
      status: 400,
      error: 'unauthorized_client',
    })
  })

  // An action without an audit row is rolled back.
  test('500: no token where its audit row cannot be written', async () => {
    await fullStack.sql`
      create function refuse_audit() returns trigger language plpgsql as $$ begin raise exception 'full'; end $$`
    await fullStack.sql`
      create trigger refuse_audit before insert on audit_logs for each row execute function refuse_audit()`
    try {
      const answer = await post(grant, billing.basic)
      expect(answer.status).toBe(500)
      expect(await answer.text()).not.toContain('access_token')
    } finally {
      await fullStack.sql`drop function refuse_audit cascade`
    }
  })
})

describe('401 invalid_client', () => {
  const disabled = async () => {
    const client = await fullStack.client('disabled', 'users.read')
    await disableClient(fullStack.sql, 'disabled', { actorId: null, context: operator })
    return client.secret
  }
  const rotated = async () => {
    const client = await fullStack.client('rotated', 'users.read')
    await rotateClientSecret(
      fullStack.sql,
      { id: 'rotated', overlapSeconds: 0 },
      { actorId: null, context: operator },
    )
    return client.secret
  }
  const stored = async () => {
    const [row] = await fullStack.sql<[{ hash: string }]>`
      select encode(secret_hash, 'hex') as hash from oauth_clients where id = 'billing'`
    return row.hash
  }

  test.each<[string, string, () => string | Promise<string>, string]>([
    ['an unknown client', 'nobody', () => billing.secret, 'unknown_client'],
    ['a wrong secret', 'billing', () => `${billing.secret.slice(1)}A`, 'wrong_secret'],
    ['another letter case of the name', 'Billing', () => billing.secret, 'unknown_client'],
    ['a disabled client with the right secret', 'disabled', disabled, 'client_disabled'],
    ['a secret from before its rotation', 'rotated', rotated, 'wrong_secret'],
    // A thief of the table has hashes alone.
    ['the stored hash in place of the secret', 'billing', stored, 'wrong_secret'],
    ['the frontend with a secret', 'frontend', () => 'secret', 'unknown_client'],
    ['a name with a NUL', 'bill\u0000ing', () => 'secret', 'unknown_client'],
    ['a name of 3 kB', 'b'.repeat(3000), () => 'secret', 'unknown_client'],
    ['SQL for a name', "' or true --", () => 'secret', 'unknown_client'],
    ['a name and a secret beyond ASCII', 'rechnung-ä', () => 'geheim-ß', 'unknown_client'],
  ])('%s: the same response to all, the reason in the audit row alone', async (_, id, secretOf, reason) => {
    const secret = await secretOf()
    await fullStack.sql`truncate audit_logs`
    const encoded = basic(encodeURIComponent(id), encodeURIComponent(secret))
    const byHeader = await refusal(await post(grant, { authorization: encoded }))
    const byBody = await refusal(await post({ ...grant, client_id: id, client_secret: secret }))
    const { request_id: _id, ...same } = byHeader.body
    expect(same).toEqual({
      error: 'invalid_client',
      error_description: 'The client is not authenticated',
      status: 401,
      code: 'invalid_client',
    })
    expect(byHeader).toMatchObject({ status: 401, challenge: 'Basic', hasRequestId: true })
    expect(byBody).toMatchObject({ status: 401, error: 'invalid_client', challenge: null })
    const isKnownForm = /^[a-z][a-z0-9-]{2,62}$/.test(id)
    expect((await fullStack.audit()).map(({ action, details }) => ({ action, details }))).toEqual(
      Array(2).fill({
        action: 'client.authentication_failed',
        details: { reason, ...(isKnownForm && { client_id: id }) },
      }),
    )
  })

  test.each([
    ['not base64', 'Basic !!!'],
    ['without a colon', `Basic ${btoa('billing')}`],
    ['a broken escape', `Basic ${btoa('billing:%zz')}`],
    ['an escape that is not UTF-8', `Basic ${btoa('billing:%ff')}`],
    ['empty', 'Basic '],
    ['another scheme', 'Bearer abc'],
    ['two headers, as one list', `Basic ${btoa('a:b')}, Basic ${btoa('a:b')}`],
    ['10 kB', `Basic ${'A'.repeat(10_000)}`],
  ])('an Authorization header %s: challenged and on record', async (_, authorization) => {
    expect(await refusal(await post(grant, { authorization }))).toMatchObject({
      status: 401,
      error: 'invalid_client',
      challenge: 'Basic',
    })
    expect(await fullStack.audit()).toMatchObject([
      { action: 'client.authentication_failed', details: { reason: 'unreadable_credentials' } },
    ])
  })

  test('a service that only names itself', async () => {
    expect(await refusal(await post({ ...grant, client_id: 'billing' }))).toMatchObject({ status: 401 })
    expect(await fullStack.audit()).toMatchObject([
      { details: { reason: 'secret_missing', client_id: 'billing' } },
    ])
  })

  test('a secret without a name', async () => {
    expect(await refusal(await post({ ...grant, client_secret: 'x' }))).toMatchObject({
      status: 401,
      challenge: null,
    })
  })

  test('no credentials: a challenge, and no audit row, as no attempt was made', async () => {
    expect(await refusal(await post(grant))).toMatchObject({ status: 401, challenge: 'Basic' })
    expect(await fullStack.audit()).toEqual([])
  })

  // RFC 6749, section 2.3.1: credentials must not be in the URI, where logs keep them.
  test('credentials in the query are not looked at', async () => {
    const query = new URLSearchParams({ client_id: 'billing', client_secret: billing.secret })
    expect((await fullStack.postForm(`/oauth/token?${query}`, grant)).status).toBe(401)
  })
})

describe('a request that is not well-formed', () => {
  const good = () => `grant_type=client_credentials&client_id=billing&client_secret=${billing.secret}`

  test.each([
    ['a broken escape', 'form_malformed', () => `${good()}&scope=%zz`],
    ['a cut escape', 'form_malformed', () => `${good()}&scope=%4`],
    ['an escape that is not UTF-8', 'form_malformed', () => `${good()}&scope=%c3%28`],
    ['a broken escape in a name', 'form_malformed', () => `${good()}&%=x`],
    ['grant_type twice', 'parameter_repeated', () => `${good()}&grant_type=client_credentials`],
    ['scope twice', 'parameter_repeated', () => `${good()}&scope=users.read&scope=users.read`],
    ['client_id twice, one empty', 'parameter_repeated', () => `client_id=&${good()}`],
    ['a name twice by another spelling', 'parameter_repeated', () => `${good()}&%73cope=a&scope=a`],
    ['__proto__ twice', 'parameter_repeated', () => `${good()}&__proto__=a&__proto__=b`],
    ['no grant_type', 'parameter_missing', () => good().replace('grant_type=client_credentials&', '')],
    ['an empty grant_type', 'parameter_missing', () => good().replace('client_credentials', '')],
  ])('400 invalid_request: %s', async (_, code, body) => {
    expect(await refusal(await post(body()))).toMatchObject({ status: 400, error: 'invalid_request', code })
  })

  test.each([
    ['by another secret in the body', () => ({ client_id: 'billing', client_secret: billing.secret })],
    ['by a secret alone', () => ({ client_secret: billing.secret })],
    ['by the name of another client', () => ({ client_id: 'shipping' })],
  ])('400 invalid_request: Basic, and %s', async (_, more) => {
    expect(await refusal(await post({ ...grant, ...more() }, billing.basic))).toMatchObject({
      status: 400,
      error: 'invalid_request',
      code: 'credentials_repeated',
    })
  })

  test.each(['password', 'authorization_code', 'constructor', '__proto__', 'client_credentials '])(
    '400 unsupported_grant_type: %s',
    async (name) => {
      expect(await refusal(await post({ grant_type: name }, billing.basic))).toMatchObject({
        status: 400,
        error: 'unsupported_grant_type',
      })
    },
  )

  test.each(['application/json', 'text/plain', 'multipart/form-data; boundary=x', ''])(
    '415 invalid_request: a body of type "%s"',
    async (type) => {
      expect(await refusal(await post(grant, { ...billing.basic, 'content-type': type }))).toMatchObject({
        status: 415,
        error: 'invalid_request',
        code: 'unsupported_media_type',
      })
    },
  )

  test('200: the media type in capitals, with a charset', async () => {
    const type = 'Application/X-WWW-Form-Urlencoded; charset=UTF-8'
    expect((await post(grant, { ...billing.basic, 'content-type': type })).status).toBe(200)
  })

  test('413 invalid_request: more than 16 kB', async () => {
    expect(await refusal(await post({ ...grant, scope: 'a'.repeat(17_000) }, billing.basic))).toMatchObject({
      status: 413,
      error: 'invalid_request',
      code: 'body_too_large',
    })
  })

  test('400 invalid_request: a body that breaks off', async () => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('grant_type=client'))
        controller.error(new Error('reset'))
      },
    })
    const answer = await fullStack.fetch('/oauth/token', {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...billing.basic },
      body,
      duplex: 'half',
    } as RequestInit)
    expect(await refusal(answer)).toMatchObject({ status: 400, code: 'form_malformed' })
  })

  test('200: unknown parameters are ignored (RFC 6749, section 3.2)', async () => {
    expect((await post({ ...grant, audience: 'x', constructor: 'y' }, billing.basic)).status).toBe(200)
  })

  test('a rejection is application/json that no cache keeps', async () => {
    const answer = await post({ grant_type: 'password' }, billing.basic)
    expect(answer.headers.get('content-type')).toBe('application/json')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('pragma')).toBe('no-cache')
  })
})

describe('POST /oauth/token, refresh_token', () => {
  const refresh = (token: string, more: Record<string, string> = {}) =>
    post({ grant_type: 'refresh_token', client_id: 'frontend', refresh_token: token, ...more })

  test('200: rotates for the frontend, which has no secret', async () => {
    const { tokens } = await fullStack.signUp('ada@example.com')
    const answer = await refresh(tokens.refresh_token)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const next = (await answer.json()) as typeof tokens
    expect(next).toMatchObject({ token_type: 'Bearer', expires_in: 900 })
    expect(next.refresh_token).not.toBe(tokens.refresh_token)
    expect((await refresh(next.refresh_token)).status).toBe(200)
  })

  test('400 invalid_grant: a token that was never issued, with any content', async () => {
    for (const token of ['x', 'A'.repeat(43), 'a\u0000b', 'ä'.repeat(50)])
      expect(await refusal(await refresh(token))).toMatchObject({
        status: 400,
        error: 'invalid_grant',
        code: 'refresh_invalid',
      })
  })

  // A thief and the owner hold the same token: the one who comes second ends the session for both.
  test('400 invalid_grant: a token that was used before, named refresh_reused', async () => {
    const { tokens } = await fullStack.signUp('reuse@example.com')
    const next = (await (await refresh(tokens.refresh_token)).json()) as typeof tokens
    expect(await refusal(await refresh(tokens.refresh_token))).toMatchObject({
      status: 400,
      error: 'invalid_grant',
      code: 'refresh_reused',
    })
    expect(await refusal(await refresh(next.refresh_token))).toMatchObject({ error: 'invalid_grant' })
  })

  test('400 invalid_grant: a token of an ended session', async () => {
    const { tokens } = await fullStack.signUp('bob@example.com')
    await fullStack.post('/auth/logout', { refresh_token: tokens.refresh_token })
    expect(await refusal(await refresh(tokens.refresh_token))).toMatchObject({ error: 'invalid_grant' })
  })

  test('400 invalid_request: no refresh_token', async () => {
    expect(await refusal(await refresh(''))).toMatchObject({
      error: 'invalid_request',
      code: 'parameter_missing',
    })
  })

  test('400 invalid_scope: users have permissions, no scopes', async () => {
    const { tokens } = await fullStack.signUp('eve@example.com')
    expect(await refusal(await refresh(tokens.refresh_token, { scope: 'users.read' }))).toMatchObject({
      error: 'invalid_scope',
    })
    expect((await refresh(tokens.refresh_token)).status).toBe(200)
  })

  // A service that got hold of a user's refresh token must not become that user.
  test('400 unauthorized_client: a service; the token stays good', async () => {
    const { tokens } = await fullStack.signUp('mallory@example.com')
    const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token }
    expect(await refusal(await post(form, billing.basic))).toMatchObject({ error: 'unauthorized_client' })
    expect((await refresh(tokens.refresh_token)).status).toBe(200)
  })

  test('401 invalid_client: no client_id, or an unknown one', async () => {
    expect((await refresh('x', { client_id: '' })).status).toBe(401)
    expect((await refresh('x', { client_id: 'another-app' })).status).toBe(401)
  })
})

test('no log line holds a secret or a token', async () => {
  const token = await fullStack.serviceToken(billing)
  await post({ ...grant, client_id: 'billing', client_secret: 'a-wrong-secret-of-ours' })
  const written = JSON.stringify(fullStack.lines)
  expect(written).toContain('wrong_secret')
  for (const secret of [billing.secret, token, 'a-wrong-secret-of-ours'])
    expect(written).not.toContain(secret)
})
