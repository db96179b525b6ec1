import { createHmac } from 'node:crypto'
import { decodeJwt } from 'jose'
import { describe, expect, test } from 'vitest'
import { createIssuer, encodePart } from '../../support/gateway/issuer.ts'
import { echo, issuer, json, loginSuperadmin, newAddress, outcome, send, signUp, valuesOf } from './client.ts'

const nowSeconds = () => Math.floor(Date.now() / 1000)
const { kid } = issuer.publicJwk

const unsigned = (header: object, payload: object) => `${encodePart(header)}.${encodePart(payload)}`

/**
 * The public key as the secret of an HMAC: what a verifier that goes by the header's `alg` would
 * accept.
 */
function signedWithPublicKey() {
  const signed = unsigned({ alg: 'HS256', kid, typ: 'at+jwt' }, issuer.claims())
  const mac = createHmac('sha256', JSON.stringify(issuer.publicJwk)).update(signed).digest('base64url')
  return `${signed}.${mac}`
}

async function tampered() {
  const [head, , signature] = (await issuer.sign()).split('.')
  return `${head}.${encodePart(issuer.claims({ level: 100 }))}.${signature}`
}

const forgeries: Record<string, () => string | Promise<string>> = {
  'alg none': () => `${unsigned({ alg: 'none', kid, typ: 'at+jwt' }, issuer.claims())}.`,
  'HS256 keyed with the public key': signedWithPublicKey,
  'a changed payload': tampered,
  'the key of another issuer under a known kid': async () => (await createIssuer()).sign({}, { kid }),
  'an unknown kid': () => issuer.sign({}, { kid: 'nobody' }),
  'a key in the header': () => issuer.sign({}, { jwk: issuer.publicJwk }),
  'an unknown crit': () => issuer.sign({}, { crit: ['x'], x: 1 }),
  'another typ': () => issuer.sign({}, { typ: 'JWT' }),
  'another issuer': () => issuer.sign({ iss: 'https://other.example' }),
  'another audience': () => issuer.sign({ aud: 'other' }),
  'no audience': () => issuer.sign({ aud: undefined }),
  expired: () => issuer.sign({ iat: nowSeconds() - 910, exp: nowSeconds() - 10 }),
  'a date that is no number': () => issuer.sign({ exp: 'tomorrow' }),
  'no token at all': () => 'x',
}

describe('401 invalid_token', () => {
  test.each(Object.keys(forgeries))('401 invalid_token: %s', async (name) => {
    const answer = await send('/try/closed', { token: (await forgeries[name]?.()) ?? '' })
    expect(outcome(answer)).toBe('401 invalid_token')
    expect(answer.headers['www-authenticate']).toBe('Bearer error="invalid_token"')
  })

  test('401 invalid_token: the refresh token of a real session', async () => {
    const { tokens } = await signUp()
    expect(outcome(await send('/v1/me', { token: tokens.refresh_token ?? '' }))).toBe('401 invalid_token')
  })

  test('401 invalid_token: another scheme, or two credentials', async () => {
    const good = await issuer.sign()
    for (const authorization of ['Basic dTpw', `Bearer ${good}, Bearer ${good}`])
      expect(outcome(await send('/try/closed', { headers: { authorization } }))).toBe('401 invalid_token')
  })
})

test('200: the token of a login, verified by the keys that the origin publishes', async () => {
  const { email, tokens } = await signUp()
  const answer = await send('/v1/me', { token: tokens.access_token })
  expect(outcome(answer)).toBe('200')
  expect(json(answer)).toMatchObject({ email })
})

test('200: the superadmin reads the accounts', async () => {
  const { access_token: token } = await loginSuperadmin()
  expect(outcome(await send('/admin/users', { token }))).toBe('200')
})

test('an upstream gets the claims in an assertion for itself, and never the token', async () => {
  const sub = crypto.randomUUID()
  const seen = await echo('/try/closed', { token: await issuer.sign({ sub }) })
  expect(valuesOf(seen, 'authorization')).toEqual([])
  const [assertion = ''] = valuesOf(seen, 'gatehouse-assertion')
  const { aud, exp = 0, iat = 0, user } = decodeJwt<{ user: { sub: string } }>(assertion)
  expect({ aud, sub: user.sub }).toEqual({ aud: 'upstream', sub })
  expect(exp - iat).toBeLessThanOrEqual(300)
})

test('two users whose requests interleave are never mixed up', async () => {
  const users = await Promise.all(
    [1, 2, 3].map(async () => {
      const sub = crypto.randomUUID()
      return { sub, token: await issuer.sign({ sub }), address: newAddress() }
    }),
  )
  const requests = Array.from({ length: 30 }, async (_, index) => {
    const { sub, token, address } = users[index % users.length] ?? { sub: '', token: '', address: '' }
    const [assertion = ''] = valuesOf(await echo('/try/closed', { token, address }), 'gatehouse-assertion')
    return decodeJwt<{ user: { sub: string } }>(assertion).user.sub === sub
  })
  expect(await Promise.all(requests)).not.toContain(false)
})
