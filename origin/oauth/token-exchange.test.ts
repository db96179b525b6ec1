import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tokenExchangeGrant, tokenTypes } from '../../shared/contract.ts'
import { claimsOf, hmac, insertImported, signJwtParts } from '../../test/support/full-stack/former-system.ts'
import { bearer } from '../../test/support/full-stack/full-stack.ts'
import {
  createOAuthFullStack,
  type OAuthFullStack,
  refusal,
} from '../../test/support/full-stack/oauth-full-stack.ts'
import { totpCodeOf } from '../../test/support/full-stack/second-factor.ts'
import { encryptTotp } from '../factors/totp-encryption.ts'
import { createEncryption } from '../keys/encryption.ts'

const old = 'https://old.example.com'
const ended = 'https://ended.example.com'
const secret = 'a secret of the former system, 32 bytes and more'

let fullStack: OAuthFullStack
let accounts = 0
beforeAll(async () => {
  fullStack = await createOAuthFullStack({
    LEGACY_ISSUERS: JSON.stringify([
      { issuer: old, algorithm: 'HS256', ends_at: '2999-01-01T00:00:00Z' },
      { issuer: ended, algorithm: 'HS256', ends_at: '2020-01-01T00:00:00Z' },
    ]),
    LEGACY_ISSUER_SECRETS: JSON.stringify({ [old]: secret, [ended]: secret }),
  })
})
afterAll(() => fullStack.close())

/** A token of an account of its own. */
async function newToken(claims: Record<string, unknown> = {}): Promise<string> {
  const sub = `old-${++accounts}`
  await insertImported(fullStack.sql, sub)
  return signJwtParts({ alg: 'HS256' }, claimsOf(old, { sub, ...claims }), hmac(secret))
}

const form = (token: string, more: Record<string, string> = {}) => ({
  grant_type: tokenExchangeGrant,
  client_id: 'frontend',
  subject_token: token,
  subject_token_type: tokenTypes.jwt,
  ...more,
})

const post = (fields: Record<string, string>, headers: HeadersInit = {}) =>
  fullStack.postForm('/oauth/token', fields, headers)

describe('POST /oauth/token, token exchange (RFC 8693)', () => {
  test('200: a session in the form of section 2.2.1, with no-store', async () => {
    const response = await post(form(await newToken(), { requested_token_type: tokenTypes.accessToken }))
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('no-store')
    const body = (await response.json()) as { access_token: string }
    expect(body).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      expires_in: 900,
      refresh_token: expect.stringMatching(/^[\w-]{54}$/),
    })
    const me = await fullStack.call('/v1/me', { headers: bearer(body.access_token) })
    expect(me.status).toBe(200)
  })

  test('400 legacy_token_spent: the token was exchanged, here or at /auth/exchange', async () => {
    const token = await newToken()
    expect((await fullStack.post('/auth/exchange', { legacy_token: token })).status).toBe(200)
    expect(await refusal(await post(form(token)))).toMatchObject({
      status: 400,
      error: 'invalid_request',
      code: 'legacy_token_spent',
    })
  })

  test('400 mfa_required: an account with a second factor; POST /auth/login/factor finishes it', async () => {
    const userId = await insertImported(fullStack.sql, 'with-factor')
    const secretOfApp = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'
    const encryption = createEncryption(fullStack.originConfig.KEY_ENCRYPTION_KEY)
    await fullStack.sql`
      insert into totp_secrets (user_id, encrypted_secret)
      values (${userId}, ${encryptTotp(encryption, 'totp_secrets', userId, secretOfApp)})`
    const token = signJwtParts({ alg: 'HS256' }, claimsOf(old, { sub: 'with-factor' }), hmac(secret))
    const response = await post(form(token))
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('gatehouse-attempt')).toBe('not_failed')
    const { body, ...rest } = await refusal(response)
    expect(rest).toMatchObject({ status: 400, error: 'invalid_request', code: 'mfa_required' })
    expect(body).toMatchObject({ factors: ['totp'], expires_in: 300 })
    expect(await fullStack.sql`select from sessions where user_id = ${userId}`).toHaveLength(0)
    const { mfa_token } = body as unknown as { mfa_token: string }
    const code = totpCodeOf(secretOfApp)
    const finished = await fullStack.post('/auth/login/factor', { mfa_token, factor: 'totp', code })
    expect(finished.status).toBe(200)
    const { access_token } = (await finished.json()) as { access_token: string }
    expect(decodeJwt(access_token)).toMatchObject({ sub: userId, acr: 'aal2' })
  })

  test.each<[string, string, () => Promise<Record<string, string>>]>([
    ['legacy_token_invalid', 'a forged one', async () => form('x.y.z')],
    ['legacy_token_invalid', 'one of 9 kB', async () => form(await newToken({ more: 'x'.repeat(7000) }))],
    ['legacy_token_invalid', 'an expired one', async () => form(await newToken({ exp: 1 }))],
    [
      'legacy_token_without_exp',
      'one that never expires',
      async () => form(await newToken({ exp: undefined })),
    ],
    ['legacy_issuer_ended', 'one after the end date', async () => form(await newToken({ iss: ended }))],
  ])('400 %s: %s', async (code, _, fields) => {
    expect(await refusal(await post(await fields()))).toMatchObject({
      status: 400,
      error: 'invalid_request',
      code,
    })
  })

  test.each<[string, string, Record<string, string>]>([
    ['parameter_missing', 'invalid_request', { subject_token: '' }],
    ['parameter_missing', 'invalid_request', { subject_token_type: '' }],
    ['subject_token_type_unsupported', 'invalid_request', { subject_token_type: tokenTypes.accessToken }],
    [
      'subject_token_type_unsupported',
      'invalid_request',
      { subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' },
    ],
    [
      'actor_token_unsupported',
      'invalid_request',
      { actor_token: 'a.b.c', actor_token_type: tokenTypes.jwt },
    ],
    ['actor_token_unsupported', 'invalid_request', { actor_token_type: tokenTypes.jwt }],
    [
      'requested_token_type_unsupported',
      'invalid_request',
      { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
    ],
    ['invalid_target', 'invalid_target', { audience: 'orders' }],
    ['invalid_target', 'invalid_target', { resource: 'https://orders.example.com' }],
    ['invalid_scope', 'invalid_scope', { scope: 'admin' }],
  ])('400 %s: error %s with %j, and the token is not spent', async (code, error, more) => {
    const token = await newToken()
    expect(await refusal(await post(form(token, more)))).toMatchObject({ status: 400, error, code })
    expect((await post(form(token))).status).toBe(200)
  })

  test('400 unauthorized_client: a service, which has scopes and no users', async () => {
    const service = await fullStack.client('billing', 'users.read')
    const { client_id: _, ...fields } = form(await newToken())
    expect(await refusal(await post(fields, service.basic))).toMatchObject({ code: 'unauthorized_client' })
  })

  test('401 invalid_client: nobody says which client it is', async () => {
    const { client_id: _, ...fields } = form(await newToken())
    expect(await refusal(await post(fields))).toMatchObject({ status: 401, code: 'invalid_client' })
  })

  test('413 body_too_large: a token of 20 kB', async () => {
    expect(await refusal(await post(form('x'.repeat(20_000))))).toMatchObject({
      status: 413,
      code: 'body_too_large',
    })
  })

  test('the metadata names the grant, where there is an issuer', async () => {
    const read = async (stack: OAuthFullStack) =>
      (await (await stack.fetch('/.well-known/oauth-authorization-server')).json()) as {
        grant_types_supported: string[]
      }
    expect((await read(fullStack)).grant_types_supported).toEqual([
      'client_credentials',
      'refresh_token',
      tokenExchangeGrant,
    ])
    const plain = await createOAuthFullStack()
    try {
      expect((await read(plain)).grant_types_supported).not.toContain(tokenExchangeGrant)
      expect(await refusal(await plain.postForm('/oauth/token', form('x.y.z')))).toMatchObject({
        status: 400,
        error: 'unsupported_grant_type',
      })
    } finally {
      await plain.close()
    }
  })
})
