import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { refreshCookie } from '../../shared/http/headers.ts'
import { setCookieOf } from '../../test/support/cookies.ts'
import {
  claimsOf,
  createKeys,
  hmac,
  hour,
  insertImported,
  nowSeconds,
  signJwtParts,
} from '../../test/support/full-stack/former-system.ts'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { totpCodeOf } from '../../test/support/full-stack/second-factor.ts'
import { metricValues } from '../../test/support/metric-values.ts'
import { encryptTotp } from '../factors/totp-encryption.ts'
import { createEncryption } from '../keys/encryption.ts'

const old = 'https://old.example.com'
const other = 'https://other.example.com'
const ended = 'https://ended.example.com'
const secret = 'a secret of the former system, 32 bytes and more'
const nameless = 'another secret, of tokens without an issuer'
const ends_at = '2999-01-01T00:00:00Z'
const keys = createKeys('ES256', 'key-1')
const frontendOrigin = 'https://app.example.com'

let fullStack: FullStack
let addresses = 0
beforeAll(async () => {
  fullStack = await createFullStack({
    environment: {
      LIMIT_FAILURES: '3',
      CORS_ORIGINS: frontendOrigin,
      LEGACY_ISSUERS: JSON.stringify([
        { issuer: old, algorithm: 'HS256', cookie: 'shop.session', ends_at },
        { issuer: ended, algorithm: 'HS256', ends_at: '2020-01-01T00:00:00Z' },
        { issuer: '', algorithm: 'HS512', account_claim: 'userId', ends_at },
        {
          issuer: other,
          algorithm: 'ES256',
          jwks: { keys: [keys.jwk] },
          audience: 'shop',
          external_id_prefix: 'other-',
          required_claims: { use: 'access' },
          ends_at,
        },
      ]),
      LEGACY_ISSUER_SECRETS: JSON.stringify({
        [old]: secret,
        [ended]: secret,
        '': `base64:${Buffer.from(nameless).toString('base64')}`,
      }),
    },
  })
})
afterAll(() => fullStack.close())

const tokenOf = (claims: Record<string, unknown>) =>
  signJwtParts({ alg: 'HS256', typ: 'JWT' }, claimsOf(old, claims), hmac(secret))

const tokenOfOther = (claims: Record<string, unknown>) =>
  signJwtParts(
    { alg: 'ES256', kid: keys.kid },
    claimsOf(other, { aud: 'shop', use: 'access', ...claims }),
    keys.sign,
  )

const newAddress = () => `198.51.100.${++addresses}`

interface ExchangeOptions {
  address?: string
  headers?: Record<string, string>
  token_delivery?: 'cookie'
}

const exchange = (token: unknown, { address = newAddress(), headers = {}, ...more }: ExchangeOptions = {}) =>
  fullStack.post('/auth/exchange', { legacy_token: token, ...more }, { address, headers })

const outcomeOf = async (response: Response) =>
  response.ok ? '200' : `${response.status} ${(await problem(response)).code}`

const auditOf = (userId: string) => fullStack.sql`
  select action, actor_id, session_id is not null as "hasSession", details, host(ip) as ip from audit_logs
  where user_id = ${userId} order by id`

describe('POST /auth/exchange', () => {
  test('200: a session of the account with the id, with an audit row; its tokens work and refresh', async () => {
    const userId = await insertImported(fullStack.sql, 'old-1')
    const response = await exchange(tokenOf({ sub: 'old-1' }), { address: '203.0.113.200' })
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('no-store')
    const tokens = (await response.json()) as TokenResponse
    expect(tokens).toMatchObject({ token_type: 'Bearer', expires_in: 900 })
    const me = await fullStack.call('/v1/me', { headers: bearer(tokens.access_token) })
    expect(await me.json()).toMatchObject({ id: userId })
    const next = await fullStack.post('/auth/refresh', { refresh_token: tokens.refresh_token })
    expect(next.status).toBe(200)
    expect(await auditOf(userId)).toEqual([
      {
        action: 'token.exchanged',
        actor_id: userId,
        hasSession: true,
        details: { issuer: old },
        ip: '203.0.113.200',
      },
    ])
  })

  test('200: no new rights: what the token says of role and permissions is ignored', async () => {
    await insertImported(fullStack.sql, 'old-2')
    const claims = {
      sub: 'old-2',
      role: 'superadmin',
      level: 100,
      permissions: ['users.manage'],
      scope: 'admin',
    }
    const { access_token } = (await (await exchange(tokenOf(claims))).json()) as TokenResponse
    const me = await (await fullStack.call('/v1/me', { headers: bearer(access_token) })).json()
    expect(me).toMatchObject({ role: 'user', level: 10 })
    expect((await fullStack.call('/admin/users', { headers: bearer(access_token) })).status).toBe(403)
  })

  test('200: a whole number stands for its digits, and an issuer may be none', async () => {
    await insertImported(fullStack.sql, '42')
    const token = signJwtParts({ alg: 'HS512' }, claimsOf('', { userId: 42 }), hmac(nameless, 512))
    expect((await exchange(token)).status).toBe(200)
  })

  test('200: the keys, the audience, the claims and the prefix of another issuer', async () => {
    const userId = await insertImported(fullStack.sql, 'other-7')
    await insertImported(fullStack.sql, '7')
    expect((await exchange(tokenOfOther({ sub: '7' }))).status).toBe(200)
    expect(await auditOf(userId)).toMatchObject([{ action: 'token.exchanged', details: { issuer: other } }])
  })

  test('200: in cookie mode the refresh token is in its cookie alone', async () => {
    await insertImported(fullStack.sql, 'old-3')
    const token = tokenOf({ sub: 'old-3' })
    const asPage = (origin: string) => exchange(token, { token_delivery: 'cookie', headers: { origin } })
    // A page of another site neither gets the cookie nor spends the token.
    expect(await outcomeOf(await asPage('https://evil.example'))).toBe('403 origin_not_allowed')
    const response = await asPage(frontendOrigin)
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 900,
    })
    const cookie = setCookieOf(response, refreshCookie)
    expect(cookie?.attributes).toContain('HttpOnly')
    const headers = { origin: frontendOrigin, cookie: `${refreshCookie}=${cookie?.value}` }
    expect((await fullStack.post('/auth/refresh', {}, { headers })).status).toBe(200)
  })

  test('200: a token in the cookie of the former system, which no script can read', async () => {
    await insertImported(fullStack.sql, 'old-12')
    const cookie = `theme=dark; shop.session=${tokenOf({ sub: 'old-12' })}`
    const asPage = (origin: string | undefined) =>
      fullStack.post(
        '/auth/exchange',
        { token_delivery: 'cookie' },
        { address: newAddress(), headers: { cookie, ...(origin && { origin }) } },
      )
    // Another site has the browser send the cookie: it must not spend the token.
    for (const origin of ['https://evil.example', undefined])
      expect(await outcomeOf(await asPage(origin))).toBe('403 origin_not_allowed')
    const response = await asPage(frontendOrigin)
    expect(response.status).toBe(200)
    expect(setCookieOf(response, refreshCookie)?.value).toMatch(/^[\w-]{54}$/)
    expect(await outcomeOf(await asPage(frontendOrigin))).toBe('401 legacy_token_spent')
  })

  test('401 legacy_token_missing: neither in the body nor in the cookie', async () => {
    expect(await outcomeOf(await exchange(undefined))).toBe('401 legacy_token_missing')
    const headers = { cookie: 'session=x.y.z', origin: frontendOrigin }
    expect(await outcomeOf(await exchange(undefined, { headers }))).toBe('401 legacy_token_missing')
  })

  test('200: after the epoch of the account has risen, with its claims of now', async () => {
    const userId = await insertImported(fullStack.sql, 'old-4')
    await fullStack.sql`update user_accounts set epoch = epoch + 5 where id = ${userId}`
    const response = await exchange(tokenOf({ sub: 'old-4' }))
    const { access_token } = (await response.json()) as TokenResponse
    await fullStack.syncRevocations()
    expect((await fullStack.call('/v1/me', { headers: bearer(access_token) })).status).toBe(200)
  })

  test('401 legacy_token_spent: a token is exchanged once, with an audit row of each further try', async () => {
    const userId = await insertImported(fullStack.sql, 'old-5')
    const token = tokenOf({ sub: 'old-5' })
    expect((await exchange(token)).status).toBe(200)
    expect(await outcomeOf(await exchange(token))).toBe('401 legacy_token_spent')
    expect(await auditOf(userId)).toMatchObject([
      { action: 'token.exchanged' },
      { action: 'token.exchange_refused', actor_id: null, details: { reason: 'spent', issuer: old } },
    ])
    // Another token of the account, as of a second device.
    expect((await exchange(tokenOf({ sub: 'old-5' }))).status).toBe(200)
  })

  test('401 legacy_token_invalid: unknown and disabled accounts alike; the token is not spent', async () => {
    const userId = await insertImported(fullStack.sql, 'old-6', { status: 'disabled' })
    const token = tokenOf({ sub: 'old-6' })
    const [disabled, unknown] = [await exchange(token), await exchange(tokenOf({ sub: 'nobody' }))]
    const bodies = [await problem(disabled), await problem(unknown)]
    for (const body of bodies) delete (body as { request_id?: string }).request_id
    expect(bodies[0]).toEqual(bodies[1])
    expect(bodies[0]).toMatchObject({ status: 401, code: 'legacy_token_invalid' })
    expect(await auditOf(userId)).toMatchObject([{ details: { reason: 'account_disabled', issuer: old } }])
    await fullStack.sql`update user_accounts set status = 'active' where id = ${userId}`
    expect((await exchange(token)).status).toBe(200)
  })

  test('401 legacy_token_without_exp, legacy_issuer_ended: each with a code of its own', async () => {
    await insertImported(fullStack.sql, 'old-8')
    expect(await outcomeOf(await exchange(tokenOf({ sub: 'old-8', exp: undefined })))).toBe(
      '401 legacy_token_without_exp',
    )
    const late = signJwtParts({ alg: 'HS256' }, claimsOf(ended, { sub: 'old-8' }), hmac(secret))
    expect(await outcomeOf(await exchange(late))).toBe('401 legacy_issuer_ended')
  })

  test('422 validation_failed: a token of no text, an empty one, and one of more than 8,192 characters', async () => {
    for (const token of [7, { $ne: null }, '', 'x'.repeat(8193)])
      expect(await outcomeOf(await exchange(token))).toBe('422 validation_failed')
  })

  test('429 rate_limited: forged tokens of an address are limited; a genuine one is served all the same', async () => {
    const userId = await insertImported(fullStack.sql, 'old-9')
    const address = newAddress()
    const spent = tokenOf({ sub: 'old-9' })
    expect((await exchange(spent, { address })).status).toBe(200)
    for (let i = 0; i < 3; i++)
      expect(await outcomeOf(await exchange('x.y.z', { address }))).toBe('401 legacy_token_invalid')
    const limited = await exchange('x.y.z', { address })
    expect(await problem(limited)).toMatchObject({ code: 'rate_limited', 'violated-policies': ['exchange'] })
    expect((await exchange(tokenOf({ sub: 'old-9' }), { address })).status).toBe(200)
    // A replay of an address over its limit leaves no further row.
    expect(await outcomeOf(await exchange(spent, { address }))).toBe('429 rate_limited')
    expect(await auditOf(userId)).toMatchObject([
      { action: 'token.exchanged' },
      { action: 'token.exchanged' },
    ])
  })

  describe('of an account with a second factor', () => {
    const imported = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'

    /** An account as an import with `totp_secret` leaves it. */
    async function insertWithTotp(externalId: string): Promise<string> {
      const userId = await insertImported(fullStack.sql, externalId)
      const encryption = createEncryption(fullStack.originConfig.KEY_ENCRYPTION_KEY)
      await fullStack.sql`
        insert into totp_secrets (user_id, encrypted_secret)
        values (${userId}, ${encryptTotp(encryption, 'totp_secrets', userId, imported)})`
      return userId
    }
    const finish = (mfa_token: unknown, code = totpCodeOf(imported)) =>
      fullStack.post('/auth/login/factor', { mfa_token, factor: 'totp', code }, { address: newAddress() })
    const sessionsOf = (userId: string) => fullStack.sql`select from sessions where user_id = ${userId}`

    test('403 mfa_required: no session; a code finishes it, at aal2, with audit rows', async () => {
      const userId = await insertWithTotp('factor-1')
      const response = await exchange(tokenOf({ sub: 'factor-1' }))
      expect(response.status).toBe(403)
      expect(response.headers.get('cache-control')).toBe('no-store')
      const body = await problem(response)
      expect(body).toMatchObject({
        code: 'mfa_required',
        mfa_token: expect.stringMatching(/^[\w-]{43}$/),
        factors: ['totp'],
        expires_in: 300,
      })
      expect(await sessionsOf(userId)).toHaveLength(0)
      const finished = await finish(body.mfa_token)
      expect(finished.status).toBe(200)
      const { access_token } = (await finished.json()) as TokenResponse
      expect(decodeJwt(access_token)).toMatchObject({ sub: userId, acr: 'aal2', amr: ['pwd', 'otp', 'mfa'] })
      expect(await auditOf(userId)).toMatchObject([
        { action: 'login.factor_required', actor_id: null, hasSession: false, details: { issuer: old } },
        { action: 'login.succeeded', actor_id: userId, hasSession: true },
      ])
    })

    test('401 legacy_token_spent: the token gives one mfa_token, and so five tries', async () => {
      const userId = await insertWithTotp('factor-3')
      const token = tokenOf({ sub: 'factor-3' })
      expect(await outcomeOf(await exchange(token))).toBe('403 mfa_required')
      expect(await outcomeOf(await exchange(token))).toBe('401 legacy_token_spent')
      expect(await sessionsOf(userId)).toHaveLength(0)
    })

    test('401 mfa_token_invalid: the account was disabled, or its password changed, in between', async () => {
      const userId = await insertWithTotp('factor-4')
      const begin = async () => (await problem(await exchange(tokenOf({ sub: 'factor-4' })))).mfa_token
      const [first, second] = [await begin(), await begin()]
      await fullStack.sql`update user_accounts set status = 'disabled' where id = ${userId}`
      expect(await outcomeOf(await finish(first))).toBe('401 mfa_token_invalid')
      await fullStack.sql`
        update user_accounts set status = 'active', password_changed_at = now() where id = ${userId}`
      expect(await outcomeOf(await finish(second))).toBe('401 mfa_token_invalid')
      expect(await sessionsOf(userId)).toHaveLength(0)
    })

    test('403 mfa_required, not 429: at an address over its limit, and it counts as no failure', async () => {
      await insertWithTotp('factor-5')
      const address = newAddress()
      for (let i = 0; i < 4; i++)
        expect(await outcomeOf(await exchange(tokenOf({ sub: 'factor-5' }), { address }))).toBe(
          '403 mfa_required',
        )
      for (let i = 0; i < 3; i++)
        expect(await outcomeOf(await exchange('x.y.z', { address }))).toBe('401 legacy_token_invalid')
      expect(await outcomeOf(await exchange('x.y.z', { address }))).toBe('429 rate_limited')
      expect(await outcomeOf(await exchange(tokenOf({ sub: 'factor-5' }), { address }))).toBe(
        '403 mfa_required',
      )
    })
  })

  test('200: metrics count each outcome', async () => {
    const count = async (outcome: string) =>
      (await metricValues(fullStack.originRegistry)).value('gatehouse_origin_legacy_exchanges_total', {
        outcome,
      })
    const before = [await count('exchanged'), await count('invalid')]
    await insertImported(fullStack.sql, 'old-10')
    await exchange(tokenOf({ sub: 'old-10' }))
    await exchange('x.y.z')
    expect([await count('exchanged'), await count('invalid')]).toEqual(before.map((each) => each + 1))
  })
})

test('the row of a spent token has the digest of its signed part, its expiry and nothing of its account', async () => {
  await insertImported(fullStack.sql, 'old-11')
  await fullStack.sql`truncate spent_legacy_tokens`
  const exp = nowSeconds() + hour
  const token = tokenOf({ sub: 'old-11', exp })
  await exchange(token)
  expect(await fullStack.sql`select * from spent_legacy_tokens`).toEqual([
    {
      token_hash: Buffer.from(
        await crypto.subtle.digest('SHA-256', Buffer.from(token.slice(0, token.lastIndexOf('.')))),
      ),
      expires_at: new Date(exp * 1000),
      created_at: expect.any(Date),
    },
  ])
})
