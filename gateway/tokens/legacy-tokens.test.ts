import { describe, expect, test } from 'vitest'
import { claimsOf, hmac, signJwtParts } from '../../test/support/full-stack/former-system.ts'
import { bearer, problem } from '../../test/support/full-stack/full-stack.ts'
import { createGatewayHarness } from '../../test/support/gateway/gateway-harness.ts'
import { encodePart, issuer as ownIssuer } from '../../test/support/gateway/issuer.ts'

const old = 'https://old.example.com'
const endsAt = Date.UTC(2030, 0, 1)
const former = [
  { issuer: old, algorithm: 'HS256', ends_at: new Date(endsAt).toISOString() },
  { issuer: '', algorithm: 'HS256', ends_at: new Date(endsAt).toISOString() },
]

let nowMs = Date.UTC(2029, 0, 1)
const environment = { LIMIT_ADDRESS_REQUESTS: '5', LEGACY_ISSUERS: JSON.stringify(former) }
const harness = await createGatewayHarness({ environment, now: () => nowMs })

let addresses = 0

async function rejection(token: string, address = `203.0.113.${++addresses}`, target = '/closed') {
  const response = await harness.call(target, { headers: bearer(token), address })
  const { code } = await problem(response)
  return { status: response.status, code, challenge: response.headers.get('www-authenticate') }
}

const invalidToken = 'Bearer error="invalid_token"'
const tokenOf = (claims: Record<string, unknown> = {}) =>
  signJwtParts({ alg: 'HS256', typ: 'JWT' }, claimsOf(old, claims), hmac('any secret'))

describe('a protected row', () => {
  test.each<[string, () => string]>([
    ['HS256', () => tokenOf()],
    ['an expired one: the origin says so', () => tokenOf({ exp: 1 })],
    [
      'ES256, with the length of a token of Gatehouse',
      () =>
        `${encodePart({ alg: 'ES256', typ: 'at+jwt', kid: 'a' })}.${encodePart(claimsOf(old))}.${'A'.repeat(86)}`,
    ],
    [
      'no issuer, where a former system wrote none',
      () => signJwtParts({ alg: 'HS256' }, claimsOf(''), hmac('x')),
    ],
  ])('401 legacy_token: a token of a former system, %s', async (_, token) => {
    expect(await rejection(token())).toEqual({ status: 401, code: 'legacy_token', challenge: invalidToken })
  })

  test.each<[string, () => string]>([
    ['of an unknown issuer', () => tokenOf({ iss: 'https://elsewhere.example.com' })],
    ['with an issuer that is no text', () => tokenOf({ iss: [old] })],
    ['that is no JWT', () => 'x.y.z'],
    ['of more than 8 KiB', () => tokenOf({ more: 'x'.repeat(8192) })],
    ['that is encrypted', () => `${encodePart({ alg: 'dir' })}.a.b.c.d`],
    ['of the own issuer with another algorithm', () => tokenOf({ iss: ownIssuer })],
  ])('401 invalid_token: a token %s', async (_, token) => {
    expect(await rejection(token())).toEqual({ status: 401, code: 'invalid_token', challenge: invalidToken })
  })

  test('401 invalid_token: after the end date', async () => {
    expect(await rejection(tokenOf())).toMatchObject({ code: 'legacy_token' })
    nowMs = endsAt
    expect(await rejection(tokenOf())).toMatchObject({ code: 'invalid_token' })
    nowMs = endsAt - 1
    expect(await rejection(tokenOf())).toMatchObject({ code: 'legacy_token' })
  })

  // On the first day of a migration an office of 200 people sends 200 of them.
  test('401 legacy_token, never 429: like expired tokens they count against no limit', async () => {
    const address = '198.51.100.1'
    for (let i = 0; i < 20; i++)
      expect(await rejection(tokenOf(), address)).toMatchObject({ code: 'legacy_token' })
    for (let i = 0; i < 5; i++)
      expect(await rejection('x.y.z', address)).toMatchObject({ code: 'invalid_token' })
    expect(await rejection('x.y.z', address)).toMatchObject({ status: 429 })
    expect(await rejection(tokenOf(), address)).toMatchObject({ code: 'legacy_token' })
  })
})

test('200: a public row does not look at it', async () => {
  const response = await harness.call('/open', { headers: bearer(tokenOf()), address: '198.51.100.2' })
  expect(response.status).toBe(200)
})

test('200: an access token beside it, which was verified, is not looked at again', async () => {
  const token = await harness.issuer.sign()
  for (let i = 0; i < 3; i++)
    expect((await harness.call('/closed', { headers: bearer(token) })).status).toBe(200)
})

test('401 invalid_token: without LEGACY_ISSUERS', async () => {
  const plain = await createGatewayHarness()
  const response = await plain.call('/closed', { headers: bearer(tokenOf()) })
  expect(await problem(response)).toMatchObject({ status: 401, code: 'invalid_token' })
})
