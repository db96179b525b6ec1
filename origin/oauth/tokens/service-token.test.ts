import { describe, expect, test, vi } from 'vitest'
import { createClock } from '../../../test/support/clock.ts'
import { bearer, problem } from '../../../test/support/full-stack/full-stack.ts'
import { createOAuthFullStack } from '../../../test/support/full-stack/oauth-full-stack.ts'
import { createIssuer, encodePart, issuer } from '../../../test/support/gateway/issuer.ts'
import { createServiceTokenVerifier } from './service-token.ts'

const clock = createClock()
const signer = await createIssuer(clock.now)

/** Over the issuer's user claims: a service's own, and none of a user's. */
const serviceClaims = {
  aud: 'origin',
  sub: 'billing',
  client_id: 'billing',
  scope: 'users.read entitlements.read',
  sid: undefined,
  email: undefined,
  role: undefined,
  permissions: undefined,
}
const sign = (payload = {}, header = {}) => signer.sign({ ...serviceClaims, ...payload }, header)
const verifier = (over: Partial<Parameters<typeof createServiceTokenVerifier>[0]> = {}) =>
  createServiceTokenVerifier({
    publicKeys: () => [signer.publicJwk],
    issuer,
    audience: 'origin',
    now: clock.now,
    ...over,
  })

const billing = { clientId: 'billing', scopes: ['users.read', 'entitlements.read'] }

describe('the origin accepts a service token', () => {
  test('for its client and scopes', async () => {
    expect(await verifier()(await sign())).toEqual(billing)
  })

  test('without unknown scopes', async () => {
    expect(await verifier()(await sign({ scope: 'admin users.read' }))).toEqual({
      clientId: 'billing',
      scopes: ['users.read'],
    })
  })

  test('up to 5 seconds past its end, and no longer, seen before or not', async () => {
    const verify = verifier()
    const token = await sign({ exp: clock.seconds + 300 })
    clock.advance(304)
    expect(await verify(token)).toEqual(billing)
    clock.advance(1)
    expect(await verify(token)).toBeUndefined()
    expect(await verifier()(token)).toBeUndefined()
  })

  test('without checking its signature again', async () => {
    const check = vi.spyOn(crypto.subtle, 'verify')
    try {
      const verify = verifier()
      const token = await sign()
      for (let i = 0; i < 3; i++) expect(await verify(token)).toEqual(billing)
      expect(check).toHaveBeenCalledTimes(1)
    } finally {
      check.mockRestore()
    }
  })

  test('of each of a thousand clients as its own, also with a cache for ten', async () => {
    const verify = verifier({ cacheSize: 10 })
    const tokens = await Promise.all(
      Array.from({ length: 1000 }, (_, i) => sign({ sub: `client-${i}`, client_id: `client-${i}` })),
    )
    for (const _round of [1, 2]) {
      const found = await Promise.all(tokens.map((token) => verify(token)))
      expect(found.map((service) => service?.clientId)).toEqual(tokens.map((_, i) => `client-${i}`))
    }
  })
})

describe('the origin rejects a', () => {
  // A key that leaked is taken from the ring: what it signed must not live on in a cache.
  test('token whose key is no longer published, seen before or not', async () => {
    let keys = [signer.publicJwk]
    const verify = verifier({ publicKeys: () => keys })
    const token = await sign()
    expect(await verify(token)).toEqual(billing)
    keys = []
    expect(await verify(token)).toBeUndefined()
  })

  test.each<[string, Record<string, unknown>, Record<string, unknown>?]>([
    ["user's token", { aud: 'gatehouse' }],
    ['token without an audience', { aud: undefined }],
    ['token for this and another audience', { aud: ['origin', 'gatehouse'] }],
    ['token of another issuer', { iss: 'https://evil.example' }],
    ['token without a client_id', { client_id: undefined }],
    ['token whose subject is not its client', { sub: 'shipping' }],
    ['token without a scope', { scope: undefined }],
    ['token whose scope is a list', { scope: ['users.read'] }],
    ['token without an end', { exp: undefined }],
    ['token without an id', { jti: undefined }],
    ['token that is not good yet', { nbf: 4_000_000_000 }],
    ['token whose end is text', { exp: '4000000000' }],
    ['other typ', {}, { typ: 'JWT' }],
    ['assertion', {}, { typ: 'gatehouse-assertion+jwt' }],
    ['token without a typ', {}, { typ: undefined }],
    ['token with alg none', {}, { alg: 'none' }],
    ['token with alg HS256', {}, { alg: 'HS256' }],
    ['token with a key of its own', {}, { jwk: signer.publicJwk }],
    ['token that says where its key is', {}, { jku: 'https://evil.example/jwks.json' }],
    ['token with an extension', {}, { crit: ['exp'] }],
    ['token of an unknown key', {}, { kid: 'unknown' }],
    ['token without a kid', {}, { kid: undefined }],
    ['token whose kid is 10 kB', {}, { kid: 'k'.repeat(10_000) }],
    ['token of 9 kB', { padding: 'x'.repeat(9000) }],
  ])('%s', async (_, payload, header) => {
    expect(await verifier()(await sign(payload, header))).toBeUndefined()
  })

  // Should both audiences be configured alike by mistake, the claims still tell a user from a
  // service.
  test("user's token, not even one for the same audience", async () => {
    expect(await verifier()(await signer.sign({ aud: 'origin' }))).toBeUndefined()
  })

  test('another key under a known kid', async () => {
    const stranger = await createIssuer(clock.now)
    const token = await stranger.sign(serviceClaims, { kid: signer.publicJwk.kid })
    expect(await verifier()(token)).toBeUndefined()
  })

  test.each([
    ['nothing', ''],
    ['a word', 'x'],
    ['dots', '..'],
    ['three parts of nonsense', 'a.b.c'],
    ['a header that is no JSON', `${encodePart('x')}.e30.AA`],
    ['a header that is null', `${encodePart('null')}.e30.AA`],
    ['five parts', 'a.b.c.d.e'],
  ])('text: %s', async (_, text) => {
    expect(await verifier()(text)).toBeUndefined()
  })
})

// The two kinds of token are signed by the same key under the same typ: the audience alone keeps
// them apart.
test('a service token is 401 invalid_token at the gateway, a user token nothing at the origin', async () => {
  const fullStack = await createOAuthFullStack()
  try {
    const client = await fullStack.client('billing', 'users.read')
    const serviceToken = await fullStack.serviceToken(client)
    const { tokens } = await fullStack.signUp('ada@example.com')
    expect((await fullStack.call('/v1/me', { headers: bearer(tokens.access_token) })).status).toBe(200)

    const answer = await fullStack.call('/v1/me', { headers: bearer(serviceToken) })
    expect(answer.status).toBe(401)
    expect((await problem(answer)).code).toBe('invalid_token')

    const verify = createServiceTokenVerifier({
      publicKeys: fullStack.keys.published,
      issuer: fullStack.issuer,
      audience: 'origin',
    })
    expect(await verify(serviceToken)).toEqual({ clientId: 'billing', scopes: ['users.read'] })
    expect(await verify(tokens.access_token)).toBeUndefined()
    expect(await verify(tokens.refresh_token)).toBeUndefined()
  } finally {
    await fullStack.close()
  }
})
