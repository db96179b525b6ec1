import { decodeJwt } from 'jose'
import { describe, expect, test } from 'vitest'
import { assertionHeader } from '../../shared/http/headers.ts'
import { bearer, problem } from '../../test/support/full-stack/full-stack.ts'
import { createGatewayHarness, openRow } from '../../test/support/gateway/gateway-harness.ts'

const harness = await createGatewayHarness({
  environment: { LIMIT_ADDRESS_REQUESTS: '3' },
  policy: [
    { ...openRow, path: '/greeting', who: 'optional', limits: ['address', 'user'] },
    { ...openRow, path: '/by-address', who: 'optional', limits: ['address'] },
  ],
})

/** The user whom the assertion names to the upstream; null for anybody. */
const namedUser = () =>
  decodeJwt(harness.last().headers.get(assertionHeader) ?? '').user as { sub: string } | null

describe('a row with who: optional', () => {
  test('200: a request without a token is served to anybody', async () => {
    for (const headers of [{}, { authorization: '' }]) {
      expect((await harness.call('/greeting', { address: '192.0.2.1', headers })).status).toBe(200)
      expect(namedUser()).toBeNull()
    }
  })

  test('200: a valid token names its user to the upstream, and no cache keeps the response', async () => {
    const response = await harness.call('/greeting', { headers: bearer(await harness.issuer.sign()) })
    expect(response.status).toBe(200)
    expect(namedUser()).toMatchObject({ sub: expect.any(String) })
    expect(response.headers.get('cache-control')).toBe('private, no-store')
  })

  test('401 invalid_token: a token that is expired or not valid is never served as anybody', async () => {
    const before = harness.forwarded.length
    const expired = await harness.issuer.sign({ exp: Math.floor(Date.now() / 1000) - 60 })
    for (const authorization of [
      `Bearer ${expired}`,
      'Bearer x',
      'Basic eDp5',
      `Bearer ${expired}, Bearer x`,
    ]) {
      const response = await harness.call('/greeting', { address: '192.0.2.2', headers: { authorization } })
      expect(response.status).toBe(401)
      expect((await problem(response)).code).toBe('invalid_token')
      expect(response.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
    }
    expect(harness.forwarded).toHaveLength(before)
  })

  test('429 rate_limited: anybody counts against the address, and a user against the limits of users', async () => {
    const call = (path: string, headers: Record<string, string> = {}) =>
      harness.call(path, { address: '192.0.2.3', headers })
    for (let i = 0; i < 3; i++) expect((await call('/greeting')).status).toBe(200)
    expect((await call('/greeting')).status).toBe(429)
    const response = await call('/greeting', bearer(await harness.issuer.sign()))
    expect(response.status).toBe(200)
    expect(response.headers.get('ratelimit-policy')).toMatch(/^"user"/)
  })

  test('429 rate_limited: a user counts against the address where the row has no limit of users', async () => {
    const headers = bearer(await harness.issuer.sign())
    for (let i = 0; i < 3; i++)
      expect((await harness.call('/by-address', { address: '192.0.2.4', headers })).status).toBe(200)
    expect((await harness.call('/by-address', { address: '192.0.2.4', headers })).status).toBe(429)
  })

  test('its responses vary by Authorization, so that no shared cache serves one of anybody to a user', async () => {
    const { headers } = await harness.call('/greeting', { address: '192.0.2.5' })
    expect(headers.get('vary')).toBe('Authorization, Origin')
  })

  test('is rejected with permissions, and without a limit for requests that have no token', async () => {
    const refused = (more: object) =>
      createGatewayHarness({ policy: [{ ...openRow, who: 'optional', ...more }] })
    await expect(refused({ level: 10 })).rejects.toThrow('who must be user')
    await expect(refused({ limits: ['user'] })).rejects.toThrow('needs a limit of addresses')
  })
})
